"""How far a difference of means is from normal because values are skewed."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["skewness_of_difference", "skewness_of_means"]


def skewness_of_difference(first: ArrayLike, second: ArrayLike) -> float:
    """Return the skewness of ``mean(second) - mean(first)`` of values that are alike in shape.

    The skewness of the values within samples, divided by how much the means even it out: samples
    of one size take it away altogether, and a small one beside a large one keeps nearly all of it.
    0 where nothing varies. Third cumulants add up like variances, so this is exact but for the
    estimate of the values' skewness, which is too small in small samples.

    Args:
        first: shape ``(n,)``.
        second: shape ``(m,)``.

    Raises:
        InvalidInputError: a sample is empty, or holds NaN or an infinity.

    >>> skewness_of_difference([0.0, 0.0, 3.0], [0.0, 0.0, 3.0])
    0.0
    >>> round(skewness_of_difference([0.0, 0.0, 3.0] * 10, [0.0, 0.0, 3.0]), 3)
    0.35
    """
    x, y = finite_sample(first, "first"), finite_sample(second, "second")
    rests = np.concatenate([x - x.mean(), y - y.mean()])
    variance = float(np.mean(rests**2))
    if variance == 0:
        return 0.0
    return skewness_of_means(float(np.mean(rests**3)) / variance**1.5, x.size, y.size)


def skewness_of_means(skewness: float, n_first: int, n_second: int) -> float:
    """Return the skewness of a difference of two means, second minus first.

    Args:
        skewness: of the values, in both samples.
        n_first: independent values in the first mean, at least 1.
        n_second: likewise, in the second.

    >>> skewness_of_means(2.0, 50, 50), round(skewness_of_means(2.0, 900, 100), 3)
    (0.0, 0.169)
    """
    total = 1 / n_first + 1 / n_second
    return skewness * (1 / n_second**2 - 1 / n_first**2) / math.sqrt(total) ** 3
