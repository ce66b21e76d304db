"""How deep JSON content may be nested, and how long it is, so that whoever reads it later can."""

import json
from typing import Any

from ml_orchestrator.errors import InvalidInputError

__all__ = ["MAX_LEVELS", "is_too_deep", "json_bytes"]

_NESTING = (dict, list, tuple)
MAX_LEVELS = 50  # parsers of clients take 200 and find what is stored inside of answers


def is_too_deep(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Say whether lists and objects are nested in each other at more than so many levels.

    >>> is_too_deep([[1]], 1), is_too_deep([1, {}], 2)
    (True, False)
    """
    if not isinstance(value, _NESTING):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(
        is_too_deep(part, levels - 1) for part in parts if isinstance(part, _NESTING)
    )


def json_bytes(content: Any, name: str, *, hint: str = "") -> int:
    """Return how long ``content`` is as JSON, in bytes.

    Raises:
        InvalidInputError: it is nested too deep or no JSON; the message ends with ``hint``.
    """
    if is_too_deep(content):
        raise InvalidInputError(f"{name} is nested more than {MAX_LEVELS} levels deep.{hint}")
    try:
        return len(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is no JSON: {error}.{hint}") from error
