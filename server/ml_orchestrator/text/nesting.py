"""How deep JSON content may be nested, so that whoever reads it later can."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MAX_LEVELS", "is_too_deep"]

MAX_LEVELS = 50  # parsers of clients take 200 and find what is stored inside of answers


def is_too_deep(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Say whether lists and objects are nested in each other at more than so many levels.

    >>> is_too_deep([[1]], 1), is_too_deep([1, {}], 2)
    (True, False)
    """
    if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
        return False
    parts = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(is_too_deep(part, levels - 1) for part in parts)
