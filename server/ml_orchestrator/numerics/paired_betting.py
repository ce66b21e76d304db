"""Two arms compared at any moment by betting on pairs: an e-process without assumptions."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample
from ml_orchestrator.numerics.sequential import lower_bound, running_log_wealth, upper_bound

__all__ = ["Pairs", "difference_bounds", "log_e_process", "pair_up"]


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


def log_e_process(pairs: Pairs, *, alpha: float) -> NDArray[np.float64]:
    """Return the log of the e-value against equal means after each pair, shape ``(n_pairs,)``.

    It is the mean wealth of two gamblers, one for each direction. If the means of each pair
    agree, given the pairs before, the chance that it ever reaches ``1 / alpha`` is at most alpha,
    for any sample size and any distribution within the bounds.

    >>> bool(log_e_process(pair_up([0] * 40, [1] * 40, (0, 1)), alpha=0.05)[-1] > 3)
    True
    """
    up = running_log_wealth(pairs.values, 0.5, alpha=alpha / 2)
    down = running_log_wealth(1 - pairs.values, 0.5, alpha=alpha / 2)
    total: NDArray[np.float64] = np.logaddexp(up, down) - math.log(2)
    return total


def difference_bounds(pairs: Pairs, *, alpha: float) -> tuple[float, float]:
    """Return the interval of the difference of means, valid at every moment at once.

    >>> difference_bounds(pair_up([0], [1], (0, 1)), alpha=0.05)
    (-1.0, 1.0)
    """
    low = lower_bound(pairs.values, alpha=alpha / 2)
    high = upper_bound(pairs.values, alpha=alpha / 2)
    return (2 * low - 1) * pairs.span, (2 * high - 1) * pairs.span
