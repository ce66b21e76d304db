"""What a saved pipeline needs to be installed where it is loaded."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from ml_orchestrator.extras import DISTRIBUTION

__all__ = ["pip_requirements"]

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops")


def pip_requirements(pipeline: Any) -> list[str]:
    """Return the libraries of a pipeline by exact version; ours only if a step is of ours."""
    is_ours = any(type(part).__module__.startswith("ml_orchestrator.") for part in _parts(pipeline))
    ours = [DISTRIBUTION] if is_ours else []
    return [f"{name}=={version(name)}" for name in (*LIBRARIES, *ours)]


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    yield from estimator.get_params(deep=True).values()
