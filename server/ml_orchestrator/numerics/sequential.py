"""A test of a mean that may be looked at after every value: a betting e-process."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["lower_bound", "running_log_wealth", "upper_bound"]

LARGEST_SHARE = 0.5  # of what a bet could lose; beyond it one bad value costs too much
FIRST_VARIANCE = 0.25  # of anything in [0, 1], at most: what is assumed before the first value
N_HALVINGS = 20


def running_log_wealth(values: ArrayLike, mean: float, *, alpha: float) -> NDArray[np.float64]:
    """Return the log of a gambler's wealth after each value, betting that the mean is larger.

    If every value has, given the earlier ones, a mean of at most ``mean``, the chance that the
    wealth *ever* reaches ``1 / alpha`` is at most ``alpha`` (Ville's inequality): stopping at a
    moment that looks good raises no false alarms. Each bet depends on earlier values only. The
    wealth falls as ``mean`` grows, so it can be turned into a bound.

    Args:
        values: shape ``(n,)``, within [0, 1], in order of arrival; may be empty.
        mean: the largest mean under the null hypothesis, above 0, at most 1.
        alpha: the level at which the bets are tuned; any level keeps the promise.

    Returns:
        shape ``(n,)``.

    Raises:
        InvalidInputError: a value lies outside [0, 1], is missing, or an option is out of range.

    References:
        I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
        JRSS B 86 (2024), section 4: predictable plug-in bets.

    >>> running_log_wealth([1.0, 1.0], 0.5, alpha=0.05).round(3).tolist()
    [0.405, 0.811]
    """
    x = _checked(values, alpha)
    if not 0 < mean <= 1:
        raise InvalidInputError(f"mean must be above 0 and at most 1; found {mean}.")
    bets = np.minimum(_bets(x, alpha), LARGEST_SHARE / mean)
    return np.cumsum(np.log1p(bets * (x - mean)))


def lower_bound(values: ArrayLike, *, alpha: float) -> float:
    """Return a number that the mean lies above, valid at every moment at once.

    The chance that the bound is ever above the mean, however often one looks, is at most
    ``alpha``. Without values it is 0.

    Args:
        values: shape ``(n,)``, within [0, 1], in order of arrival.
        alpha: between 0 and 1.

    Raises:
        InvalidInputError: a value lies outside [0, 1] or is missing.

    >>> lower_bound([1.0] * 200, alpha=0.05) > 0.9
    True
    """
    x = _checked(values, alpha)
    low, high, enough = 0.0, 1.0, -math.log(alpha)
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        wealth = running_log_wealth(x, middle, alpha=alpha)
        if wealth.size and wealth.max() >= enough:
            low = middle
        else:
            high = middle
    return low


def upper_bound(values: ArrayLike, *, alpha: float) -> float:
    """Return a number that the mean lies below, valid at every moment at once; see `lower_bound`.

    >>> upper_bound([], alpha=0.05)
    1.0
    """
    return 1.0 - lower_bound(1.0 - np.asarray(values, dtype=np.float64), alpha=alpha)


def _bets(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the wager before each value, large while the values so far vary little."""
    n = np.arange(1, x.size + 1)
    means = (0.5 + np.cumsum(x)) / (n + 1)
    variances = (FIRST_VARIANCE + np.cumsum((x - means) ** 2)) / (n + 1)
    before = np.concatenate([[FIRST_VARIANCE], variances[:-1]])[: x.size]
    bets: NDArray[np.float64] = np.sqrt(-2 * math.log(alpha) / (before * n * np.log1p(n)))
    return bets


def _checked(values: ArrayLike, alpha: float) -> NDArray[np.float64]:
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; found {alpha}.")
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.all((x >= 0) & (x <= 1)):  # NaN is in no range
        raise InvalidInputError("Values of the sequential test must lie within [0, 1].")
    return x
