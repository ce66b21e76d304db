"""What a saved pipeline needs to be installed where it is loaded."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

__all__ = ["pip_requirements"]

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops")
OURS = "ml-orchestrator-mcp"


def pip_requirements(pipeline: Any) -> list[str]:
    """Return the libraries of a pipeline by exact version; ours only if a step is of ours."""
    is_ours = any(type(part).__module__.startswith("ml_orchestrator.") for part in _parts(pipeline))
    return [f"{name}=={version(name)}" for name in (*LIBRARIES, *([OURS] if is_ours else []))]


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    yield from estimator.get_params(deep=True).values()
