"""A ridge regression of the reward on the context for each arm, kept up to date row by row."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["RidgeArms"]


class RidgeArms:
    """Linear rewards of several arms; one update costs the square of the number of features.

    The inverse of each arm's ``penalty I + sum of x x'`` is kept by the formula of Sherman and
    Morrison (1950).

    Args:
        n_arms: at least 1.
        n_features: at least 1; an intercept is a feature that is always 1.
        penalty: above 0.

    >>> arms = RidgeArms(2, 1)
    >>> arms.update(0, np.array([1.0]), 1.0)
    >>> arms.means(np.array([1.0])).tolist()
    [0.5, 0.0]
    """

    __slots__ = ("_d", "_inverse", "_moments", "_n", "coefficients")

    def __init__(self, n_arms: int, n_features: int, *, penalty: float = 1.0) -> None:
        if n_arms < 1 or n_features < 1 or not penalty > 0:
            raise InvalidInputError(
                "Arms need at least one arm, one feature and a penalty above 0; found "
                f"{n_arms}, {n_features} and {penalty}."
            )
        self._n, self._d = n_arms, n_features
        self._inverse = np.tile(np.eye(n_features) / penalty, (n_arms, 1))
        self._moments = np.zeros((n_arms, n_features))
        self.coefficients = np.zeros((n_arms, n_features))

    def means(self, context: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the expected reward of each arm, shape ``(n_arms,)``."""
        return np.asarray(self.coefficients @ context)

    def widths(self, context: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``sqrt(x' A^-1 x)`` of each arm: how little it is known here."""
        spread = (self._inverse @ context).reshape(self._n, self._d) @ context
        return np.sqrt(np.maximum(spread, 0.0))

    def update(self, arm: int, context: NDArray[np.float64], reward: float) -> None:
        """Learn that ``arm`` gave ``reward`` in ``context``, shape ``(n_features,)``."""
        inverse = self._inverse[arm * self._d : (arm + 1) * self._d]
        moved = inverse @ context
        inverse -= np.outer(moved, moved / (1.0 + context @ moved))
        moments = self._moments[arm]
        moments += reward * context
        self.coefficients[arm] = inverse @ moments
