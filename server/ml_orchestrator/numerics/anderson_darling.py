"""The two-sample Anderson-Darling test."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.integrate import quad
from scipy.special import binom

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.ecdf import JointEcdf, joint_ecdf
from ml_orchestrator.numerics.samples import SampleLike

__all__ = ["AndersonDarling", "anderson_darling", "limiting_sf"]

LIMIT_VARIANCE = 2 * (math.pi**2 - 9) / 3
N_TERMS = 40
NO_CHANCE = 100.0  # of a statistic so large, less than 1e-40


@dataclass(frozen=True, slots=True)
class AndersonDarling:
    """Result of the test: the squared gap of the distribution functions, tails weighing most."""

    statistic: float
    p_value: float


def anderson_darling(x: SampleLike, y: SampleLike) -> AndersonDarling:
    """Test whether two samples come from one distribution; sensitive in the tails.

    The statistic is the one that scipy's ``anderson_ksamp(midrank=True)`` standardises. It is
    brought to the variance of its limit by the exact variance for these sizes and compared with
    the limiting distribution itself, so the p value is neither capped nor read off a table.

    Missing values: refused; remove them first. Ties take their middle rank. Equal samples, and
    two equal constants, give statistic 0 and p 1. Sizes may differ. Symmetric.

    Args:
        x: first sample, shape ``(n_x,)``.
        y: second sample, shape ``(n_y,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite, or both hold fewer than 4 values.

    References:
        F. W. Scholz, M. A. Stephens, "K-sample Anderson-Darling tests", Journal of the American
        Statistical Association 82 (1987). T. W. Anderson, D. A. Darling, "A test of goodness of
        fit", the same journal 49 (1954), for the limiting distribution.

    >>> anderson_darling([1, 2, 3, 4], [1, 2, 3, 4])
    AndersonDarling(statistic=0.0, p_value=1.0)
    """
    joint = joint_ecdf(x, y)
    statistic = _statistic(joint)
    variance = _variance(joint.n_x, joint.n_y)
    comparable = 1 + (statistic - 1) * math.sqrt(LIMIT_VARIANCE / variance)
    return AndersonDarling(statistic, limiting_sf(comparable))


def limiting_sf(statistic: float) -> float:
    """Return the chance that the limiting distribution exceeds ``statistic``, to about 1e-10.

    >>> round(limiting_sf(2.492367), 4)
    0.05
    """
    if statistic <= 0:
        return 1.0
    if statistic > NO_CHANCE:
        return 0.0
    terms = [_term(j, statistic) for j in range(N_TERMS)]
    below = math.sqrt(2 * math.pi) / statistic * math.fsum(terms)
    return min(max(1 - below, 0.0), 1.0)


def _term(j: int, z: float) -> float:
    rate = (4 * j + 1) ** 2 * math.pi**2 / (8 * z)
    if rate - z / 8 > 700:  # the exponential is zero
        return 0.0
    area, _ = quad(
        lambda w: math.exp(z / (8 * (1 + w * w)) - rate * (1 + w * w)), 0, np.inf, epsabs=1e-14
    )
    return float(binom(-0.5, j) * (4 * j + 1) * area)


def _statistic(joint: JointEcdf) -> float:
    last = np.flatnonzero(joint.is_last)
    n = joint.n_x + joint.n_y
    pooled, first = last + 1.0, joint.n_x_below[last].astype(np.float64)
    n_tied, n_tied_first = np.diff(pooled, prepend=0.0), np.diff(first, prepend=0.0)
    middle, middle_first = pooled - n_tied / 2, first - n_tied_first / 2
    weight = middle * (n - middle) - n * n_tied / 4
    if last.size == 1:  # one value in all: no gap, and no weight
        return 0.0
    gaps = n * middle_first - middle * joint.n_x
    return float((n - 1) / (n * joint.n_x * joint.n_y) * np.sum(n_tied * gaps**2 / weight))


@lru_cache(maxsize=256)
def _variance(n_x: int, n_y: int) -> float:
    """Return the variance of the statistic for continuous samples of these sizes."""
    n = n_x + n_y
    if n < 4:
        raise InvalidInputError(
            f"The Anderson-Darling test needs four values in all; found {n_x} and {n_y}."
        )
    inverses = 1 / np.arange(1.0, n)
    big_h, h = 1 / n_x + 1 / n_y, float(inverses.sum())
    tails = np.cumsum(inverses[::-1])[::-1][1:]  # of 1/j for j > i
    g = float(np.sum(tails / (n - np.arange(1.0, n - 1))))
    a = (4 * g - 6) + (10 - 6 * g) * big_h
    b = (2 * g - 4) * 4 + 8 * h * 2 + (2 * g - 14 * h - 4) * big_h - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * 4 + (4 * h - 4 * g + 6) * 2 + (2 * h - 6) * big_h + 4 * h
    d = (2 * h + 6) * 4 - 4 * h * 2
    return (a * n**3 + b * n**2 + c * n + d) / ((n - 1) * (n - 2) * (n - 3))
