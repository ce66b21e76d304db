"""Chances of being chosen: a floor below them, and a draw by them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["draw", "with_floor"]


def with_floor(chances: ArrayLike, floor: float) -> NDArray[np.float64]:
    """Return chances of which each is at least ``floor / n``: none is given up for bad luck.

    A share ``floor`` of all choices goes to any arm alike, the rest by ``chances``.

    Args:
        chances: shape ``(n_arms,)``, at least 0 and not all 0; scaled to a sum of 1.
        floor: 0 to 1.

    Returns:
        shape ``(n_arms,)``, with a sum of 1.

    Raises:
        InvalidInputError: a chance or the floor is out of range.

    >>> with_floor([1.0, 0.0], 0.1).round(3).tolist()
    [0.95, 0.05]
    """
    given = np.asarray(chances, dtype=np.float64)
    if given.ndim != 1 or not np.all(given >= 0) or not 0 < (total := given.sum()) < np.inf:
        raise InvalidInputError("Chances must be finite, at least 0 and not all 0.")
    if not 0 <= floor <= 1:
        raise InvalidInputError(f"The floor must lie in 0..1; found {floor}.")
    return np.asarray((1 - floor) * (given / total) + floor / given.size)


def draw(chances: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Return an index drawn by chances that sum to 1; one whose chance is 0 is never drawn."""
    steps = np.cumsum(chances)
    return int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))
