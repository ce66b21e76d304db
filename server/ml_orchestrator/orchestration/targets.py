"""Functions named as ``module:function``, like Python entry points, imported when needed."""

import importlib
from typing import Any

__all__ = ["resolve"]


def resolve(target: str) -> Any:
    """Import and return what ``target`` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
