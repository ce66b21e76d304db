"""Epsilon-greedy with contexts: mostly the arm that seems best here, sometimes any."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.bandits.floor import draw, with_floor
from ml_orchestrator.numerics.bandits.ridge import RidgeArms

__all__ = ["EpsilonGreedy"]


class EpsilonGreedy:
    """Takes the arm with the highest expected reward, or with chance ``epsilon`` any arm.

    Args:
        n_arms: at least 1.
        n_features: at least 1.
        epsilon: 0 to 1.
        penalty: of the ridge regressions, above 0.

    >>> policy = EpsilonGreedy(2, 1, epsilon=0.1)
    >>> policy.update(1, np.array([1.0]), 1.0)
    >>> policy.chances(np.array([1.0])).round(3).tolist()
    [0.05, 0.95]
    """

    def __init__(
        self, n_arms: int, n_features: int, *, epsilon: float = 0.1, penalty: float = 1.0
    ) -> None:
        self._n = n_arms
        self._epsilon = epsilon
        self._arms = RidgeArms(n_arms, n_features, penalty=penalty)

    def chances(self, context: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the chance of each arm to be chosen, shape ``(n_arms,)``."""
        best = np.zeros(self._n)
        best[self._arms.means(context).argmax()] = 1.0
        return with_floor(best, self._epsilon)

    def choose(self, context: NDArray[np.float64], rng: np.random.Generator) -> int:
        """Return an arm for a context of shape ``(n_features,)``."""
        return draw(self.chances(context), rng)

    def update(self, arm: int, context: NDArray[np.float64], reward: float) -> None:
        """Learn that ``arm`` gave ``reward`` in ``context``."""
        self._arms.update(arm, context, reward)
