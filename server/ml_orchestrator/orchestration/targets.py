"""Functions named as ``module:function``, like Python entry points, imported when needed."""

from typing import Any

from ml_orchestrator.doors import import_alone

__all__ = ["resolve"]


def resolve(target: str) -> Any:
    """Import and return what ``target`` names."""
    module, _, name = target.partition(":")
    return getattr(import_alone(module), name)
