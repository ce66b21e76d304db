"""How far a difference of means is from normal because values are skewed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Moments", "moments", "skewness_if_alike", "skewness_if_unlike", "skewness_of_means"]


@dataclass(frozen=True, slots=True)
class Moments:
    """How the values of a sample lie around their mean.

    Attributes:
        n: independent values.
        square: mean second power of their distances.
        cube: mean third power of them.
    """

    n: int
    square: float
    cube: float


def moments(values: ArrayLike) -> Moments:
    """Return the moments of values, shape ``(n,)``.

    Raises:
        InvalidInputError: there is none, or one is NaN or an infinity.

    >>> moments([0.0, 0.0, 3.0])
    Moments(n=3, square=2.0, cube=2.0)
    """
    rests = finite_sample(values, "values")
    rests = rests - rests.mean()
    return Moments(rests.size, float(np.mean(rests**2)), float(np.mean(rests**3)))


def skewness_of_means(first: Moments, second: Moments) -> float:
    """Return the skewness of the difference of two means, second minus first.

    Third cumulants add up like variances, so this is exact but for the estimate of the values'
    skewness, which is too small in small samples. 0 where nothing varies.

    >>> one, even = Moments(50, 1.0, 2.0), Moments(50, 1.0, 0.0)
    >>> skewness_of_means(one, one), round(skewness_of_means(one, even), 3)
    (0.0, -0.1)
    """
    variance = first.square / first.n + second.square / second.n
    if variance == 0:
        return 0.0
    return (second.cube / second.n**2 - first.cube / first.n**2) / math.sqrt(variance) ** 3


def skewness_if_alike(first: Moments, second: Moments) -> float:
    """Return likewise what it is if values are alike in shape in both samples.

    Samples of one size take it away altogether, and a small one beside a large one keeps nearly
    all of it. Their common skewness is surer than that of the small sample alone.

    >>> round(skewness_if_alike(Moments(900, 1.0, 2.0), Moments(100, 1.0, 2.0)), 3)
    0.169
    >>> skewness_if_alike(Moments(50, 1.0, 2.0), Moments(50, 1.0, 0.0))
    0.0
    """
    n = first.n + second.n
    square = (first.square * first.n + second.square * second.n) / n
    cube = (first.cube * first.n + second.cube * second.n) / n
    return skewness_of_means(Moments(first.n, square, cube), Moments(second.n, square, cube))


def skewness_if_unlike(first: Moments, second: Moments) -> float:
    """Return what the shapes of both samples being unlike adds to `skewness_if_alike`.

    >>> one, even = Moments(50, 1.0, 2.0), Moments(900, 1.0, 0.0)
    >>> skewness_if_unlike(one, Moments(900, 1.0, 2.0)), round(skewness_if_unlike(one, even), 3)
    (0.0, -0.247)
    """
    return skewness_of_means(first, second) - skewness_if_alike(first, second)
