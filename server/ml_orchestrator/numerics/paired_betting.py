"""Two arms compared at any moment by betting on pairs: an e-process without assumptions."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Pairs", "difference_bounds", "log_e_process", "pair_up"]

SHARES = np.append(2.0 ** -np.arange(7, 0.9, -0.5), 0.9)  # of what a gambler may lose
N_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Pairs:
    """Differences of two arms in order of arrival, put into [0, 1].

    Attributes:
        values: shape ``(n_pairs,)``; 0.5 is no difference.
        span: what a value of 1 above 0.5 stands for, doubled: the width of the range.
    """

    values: NDArray[np.float64]
    span: float


def pair_up(first: ArrayLike, second: ArrayLike, bounds: tuple[float, float]) -> Pairs:
    """Return the i-th value of one arm beside the i-th of the other; what is left over waits.

    Args:
        first: shape ``(n,)``, in order of arrival, within ``bounds``.
        second: shape ``(m,)``, likewise.
        bounds: the least and the largest value that can occur, known before the data.

    Raises:
        InvalidInputError: a value lies outside, is NaN or infinite, or the bounds are no range.

    >>> pair_up([0, 1, 0], [1, 1], (0.0, 1.0)).values.tolist()
    [1.0, 0.5]
    """
    x, y = finite_sample(first, "first"), finite_sample(second, "second")
    low, high = bounds
    if not low < high:
        raise InvalidInputError(f"bounds must be a range; found {low} to {high}.")
    least, most = min(x.min(), y.min()), max(x.max(), y.max())
    if least < low or most > high:
        raise InvalidInputError(
            f"Values lie between {least:g} and {most:g}, outside the bounds {low:g} to {high:g}. "
            "Bounds are what can occur at all; give those, or choose the method msprt."
        )
    n = min(x.size, y.size)
    return Pairs(((y[:n] - x[:n]) / (high - low) + 1) / 2, high - low)


def log_e_process(pairs: Pairs) -> NDArray[np.float64]:
    """Return the log of the e-value against equal means after each pair, shape ``(n_pairs,)``.

    It is half the mean wealth of gamblers who stake fixed shares from 1/128 to 0.9, of those on
    the direction that has gained more. If the means of each pair agree, given the pairs before,
    the chance that it ever reaches ``1 / alpha`` is at most alpha, for any sample size and any
    distribution within the bounds (Ville's inequality). Some gambler's share is near the best
    one, so it costs little not to know that. `difference_bounds` leaves 0 out exactly when it is
    at least ``1 / alpha``.

    References:
        I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
        JRSS B 86 (2024), section 5: mixtures of fixed bets.

    >>> bool(log_e_process(pair_up([0] * 40, [1] * 40, (0, 1)))[-1] > 3)
    True
    """
    gains = 2 * pairs.values - 1
    wealth: NDArray[np.float64] = np.maximum(_log_wealth(gains), _log_wealth(-gains))
    return wealth - math.log(2)


def _log_wealth(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of the mean wealth of all shares after each gain, shape ``(n_pairs,)``."""
    total = np.full(gains.size, -np.inf)
    for share in SHARES:
        total = np.logaddexp(total, np.cumsum(np.log1p(share * gains)))
    wealth: NDArray[np.float64] = total - math.log(SHARES.size)
    return wealth


def difference_bounds(pairs: Pairs, *, alpha: float) -> tuple[float, float]:
    """Return the interval of the difference of means: the bets of `log_e_process`, turned round.

    All intervals, of however many pairs in their order of arrival, hold the truth at once with a
    chance of at least ``1 - alpha``.

    >>> low, high = difference_bounds(pair_up([0], [1], (0, 1)), alpha=0.05)
    >>> round(low, 2), high
    (-0.99, 1.0)
    """
    values, counts = np.unique(pairs.values, return_counts=True)
    low = _lower(values, counts, alpha / 2)
    high = 1 - _lower(1 - values, counts, alpha / 2)
    return (2 * low - 1) * pairs.span, (2 * high - 1) * pairs.span


def _lower(values: NDArray[np.float64], counts: NDArray[np.intp], alpha: float) -> float:
    """Return the largest mean so small that the wealth of betting on more is ``1 / alpha``."""
    low, high = 0.0, 1.0
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        logs = np.log1p(SHARES[:, None] * (values / middle - 1)) @ counts
        wealth = np.logaddexp.reduce(logs) - math.log(SHARES.size)
        low, high = (middle, high) if wealth >= -math.log(alpha) else (low, middle)
    return low
