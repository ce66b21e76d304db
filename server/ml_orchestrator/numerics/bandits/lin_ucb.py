"""LinUCB with a model for each arm: the arm whose reward may be the highest in this context."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.bandits.ridge import RidgeArms

__all__ = ["LinUcb"]


class LinUcb:
    """Takes the arm of the highest ``x' theta + alpha sqrt(x' A^-1 x)``, the first of equals.

    Args:
        n_arms: at least 1.
        n_features: at least 1.
        alpha: how much what is unknown counts, at least 0.
        penalty: of the ridge regressions, above 0.

    References:
        L. Li, W. Chu, J. Langford, R. Schapire, "A contextual-bandit approach to personalized
        news article recommendation", WWW 2010, algorithm 1.

    >>> policy = LinUcb(2, 1, alpha=0.1)
    >>> policy.update(1, np.array([1.0]), 1.0)
    >>> policy.choose(np.array([1.0]))
    1
    """

    def __init__(
        self, n_arms: int, n_features: int, *, alpha: float = 1.0, penalty: float = 1.0
    ) -> None:
        if not alpha >= 0:
            raise InvalidInputError(f"alpha must be at least 0; found {alpha}.")
        self._alpha = alpha
        self._arms = RidgeArms(n_arms, n_features, penalty=penalty)

    def scores(self, context: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the upper bound of each arm's reward, shape ``(n_arms,)``."""
        return self._arms.means(context) + self._alpha * self._arms.widths(context)

    def choose(self, context: NDArray[np.float64]) -> int:
        """Return an arm for a context of shape ``(n_features,)``."""
        return int(self.scores(context).argmax())

    def update(self, arm: int, context: NDArray[np.float64], reward: float) -> None:
        """Learn that ``arm`` gave ``reward`` in ``context``."""
        self._arms.update(arm, context, reward)
