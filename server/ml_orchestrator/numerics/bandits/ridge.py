"""Ridge regressions of the reward on the context, kept up to date row by row."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["FadingRidge", "RidgeArms"]


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


class FadingRidge:
    """Linear rewards of one arm, where older rows count less and the penalty stays.

    What is not seen for long is known less and less, down to what the penalty alone says.

    Args:
        n_features: at least 1; an intercept is a feature that is always 1.
        discount: what a row still counts one step later, above 0 up to 1.
        penalty: above 0.

    References:
        Y. Russac, C. Vernade, O. Cappé, "Weighted linear bandits for non-stationary
        environments", NeurIPS 2019; widths are those of LinUCB with the faded matrix.

    >>> arm = FadingRidge(1, discount=0.5)
    >>> arm.update(0, np.array([1.0]), 1.0)
    >>> arm.upper_mean(0, np.array([1.0])), round(arm.upper_mean(1, np.array([1.0])), 3)
    (0.5, 0.333)
    """

    __slots__ = ("_at", "_discount", "_moments", "_penalty", "_products")

    def __init__(self, n_features: int, *, discount: float, penalty: float = 1.0) -> None:
        if n_features < 1 or not 0 < discount <= 1 or not penalty > 0:
            raise InvalidInputError(
                "An arm needs at least one feature, a discount above 0, at most 1, and a penalty "
                f"above 0; found {n_features}, {discount} and {penalty}."
            )
        self._discount = discount
        self._penalty = penalty * np.eye(n_features)
        self._products = np.zeros((n_features, n_features))
        self._moments = np.zeros(n_features)
        self._at = 0

    def update(self, at: int, context: NDArray[np.float64], reward: float) -> None:
        """Learn that the arm gave ``reward`` in ``context`` at step ``at``, which never falls."""
        left = self._discount ** (at - self._at)
        self._products *= left
        self._products += context[:, None] * context
        self._moments *= left
        self._moments += reward * context
        self._at = at

    def upper_mean(self, at: int, context: NDArray[np.float64], *, alpha: float = 0.0) -> float:
        """Return the expected reward at step ``at``, and ``alpha`` times how little it is known."""
        left = self._discount ** (at - self._at)
        known = np.column_stack([left * self._moments, context])
        mean, spread = context @ np.linalg.solve(left * self._products + self._penalty, known)
        return float(mean + alpha * np.sqrt(max(spread, 0.0)))
