"""Worlds of coins for bandits, the same for every contender and seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["coins"]


def coins(seed: int, rounds: int, means: Sequence[float]) -> NDArray[np.bool_]:
    """Return what each arm would give in each round, shape ``(rounds, n_arms)``."""
    draws = np.random.default_rng(seed).random((rounds, len(means)))
    return np.asarray(draws < np.asarray(means))
