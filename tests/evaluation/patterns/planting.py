"""Tables with patterns that are known, for the tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Table", "chances_to_outcome", "coins"]

Table = dict[str, NDArray[Any]]


def coins(rng: np.random.Generator, n: int, n_features: int = 10) -> Table:
    """Return independent features that 40 % of the cases hold."""
    return {f"f{i}": (rng.random(n) < 0.4).astype(float) for i in range(n_features)}


def chances_to_outcome(rng: np.random.Generator, chances: NDArray[np.float64]) -> Any:
    """Return 0 or 1 for each case."""
    return (rng.random(len(chances)) < chances).astype(float)
