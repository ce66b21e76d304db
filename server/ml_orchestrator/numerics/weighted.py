"""Means and quantiles of values that count for more or less."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean", "n_effective", "quantiles"]

SAME = 1e-12  # of all weight: less than that apart, two sums of weights are equal

Values = NDArray[Any]
Weights = NDArray[np.float64]


def mean(values: Values, weights: Weights | None = None) -> float:
    """Return the mean of values of shape ``(n,)``; without weights each counts alike.

    The weighted mean of equal values is that value, to the last bit.

    >>> mean(np.array([0.0, 10.0]), np.array([3.0, 1.0]))
    2.5
    """
    if weights is None:
        return float(np.mean(values))
    first = float(values[0])
    return first + float(np.average(values - first, weights=weights))


def quantiles(
    values: Values, shares: float | Sequence[float] | Values, weights: Weights | None = None
) -> Any:
    """Return the quantiles, shaped as ``shares``, which are between 0 and 1.

    Without weights they are numpy's, interpolated. With them each is the least value up to which
    its share of the weight lies, and where that is the share exactly, the mean of it and the next:
    what whole weights as repeats of rows would give (R. Hyndman, Y. Fan, 1996, definition 2).

    >>> float(quantiles(np.array([1.0, 2.0, 9.0]), 0.5, np.array([1.0, 1.0, 2.0])))
    5.5
    """
    if weights is None:
        return np.quantile(values, shares)
    order = np.argsort(values, kind="stable")
    ordered, summed = values[order], np.cumsum(weights[order])
    wanted, slack, last = np.asarray(shares) * summed[-1], SAME * summed[-1], len(values) - 1
    least = np.minimum(np.searchsorted(summed, wanted - slack), last)
    following = np.minimum(np.searchsorted(summed, wanted + slack, side="right"), last)
    return (ordered[least] + ordered[following]) / 2


def n_effective(weights: Weights) -> float:
    """Return how many rows of equal weight would say as much (L. Kish, Survey sampling, 1965)."""
    return float(weights.sum() ** 2 / np.sum(weights**2))
