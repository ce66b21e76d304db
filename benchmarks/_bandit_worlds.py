"""Worlds of coins for bandits, the same for every contender and seed."""

from collections.abc import Sequence

import numpy as np

__all__ = ["Coins"]


class Coins:
    """Arms that pay 0 or 1: the k-th choice of an arm pays the same, whoever chooses and when.

    So contenders of one seed differ by what they choose alone, and their regrets can be compared
    pair by pair.
    """

    def __init__(self, seed: int, rounds: int, means: Sequence[float]) -> None:
        draws = np.random.default_rng(seed).random((len(means), rounds))
        self._pays: list[list[bool]] = [
            (row < mean).tolist() for row, mean in zip(draws, means, strict=True)
        ]
        self._means = means
        self._numbers = [0] * len(means)

    def pull(self, arm: int) -> bool:
        """Return what an arm pays this time."""
        number = self._numbers[arm]
        self._numbers[arm] = number + 1
        return self._pays[arm][number]

    @property
    def regret(self) -> float:
        """What was lost by choices so far beside the best arm, in the mean."""
        best = max(self._means)
        lost = (
            (best - mean) * number for mean, number in zip(self._means, self._numbers, strict=True)
        )
        return float(sum(lost))
