"""The two-sample Kolmogorov-Smirnov test, two-sided."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov
from scipy.stats import binom, kstwo

from ml_orchestrator.numerics.cell_kernels import largest_gap
from ml_orchestrator.numerics.cells import cells_of
from ml_orchestrator.numerics.samples import SampleLike, finite_sample, sorted_sample

__all__ = ["KolmogorovSmirnov", "kolmogorov_smirnov"]

LARGEST_EXACT_SAMPLE = 10_000
NO_CHANCE = 1e-13
MANY = 1_000
ROWS_PAY = 3  # times as large as the other, from which a sample is taken in rows
TOO_SMALL = 1e-250
SMALL_SINCE = 2.2  # of n times the squared statistic: a p value of 0.025


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Result of the test: the largest gap between the distribution functions, and its p value."""

    statistic: float
    p_value: float


def kolmogorov_smirnov(x: SampleLike, y: SampleLike) -> KolmogorovSmirnov:
    """Test whether two samples come from one continuous distribution.

    The statistic is ``max |F_x(t) - F_y(t)|`` over all t, found in whole numbers, hence without
    rounding. The p value is exact when neither sample exceeds 10,000 values, and the asymptotic
    one with effective size ``n_x n_y / (n_x + n_y)`` otherwise; so does scipy's ``ks_2samp``
    with ``method="auto"``, and the values agree to 1e-12; only where scipy 1.17 warns that its
    exact sum failed, because it rounded a p value of 1 to above 1, this one stays exact.

    Missing values: refused; remove them first. Ties: the statistic is right; the p value assumes
    a continuous distribution and is then too large, never too small. Two equal constants give
    statistic 0 and p 1, two different ones statistic 1. Sizes may differ. Symmetric.

    Args:
        x: first sample, shape ``(n_x,)``.
        y: second sample, shape ``(n_y,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    References:
        J. L. Hodges, "The significance probability of the Smirnov two-sample test",
        Arkiv för Matematik 3 (1958). T. Viehmann, "Numerically more stable computation of the
        p-values for the two-sample Kolmogorov-Smirnov test", arXiv:2102.08037 (2021).
        Z. W. Birnbaum, F. H. Tingey, "One-sided confidence contours for probability distribution
        functions", Annals of Mathematical Statistics 22 (1951), for the one-sided p value.

    >>> result = kolmogorov_smirnov([1, 2, 3], [4, 5, 6])
    >>> result.statistic, round(result.p_value, 9)
    (1.0, 0.1)
    """
    n_x, n_y = finite_sample(x, "x").size, finite_sample(y, "y").size
    gap = _gap(x, y, n_x, n_y)
    statistic = gap / math.lcm(n_x, n_y)
    if max(n_x, n_y) <= LARGEST_EXACT_SAMPLE:
        p_value = _exact_p_value(n_x, n_y, gap)
    else:
        p_value = _asymptotic_p_value(statistic, round(n_x * n_y / (n_x + n_y)))
    return KolmogorovSmirnov(statistic, min(max(p_value, 0.0), 1.0))


def _gap(x: SampleLike, y: SampleLike, n_x: int, n_y: int) -> int:
    """Return the largest gap of the distribution functions, in units of 1 / lcm of the sizes."""
    divisor = math.gcd(n_x, n_y)
    if (pair := cells_of(x, y)) is not None:
        gap = largest_gap(pair, n_y // divisor, n_x // divisor)
        if gap is not None:
            return gap
    first, second = sorted_sample(x, "x"), sorted_sample(y, "y")
    return _largest_gap(first, second) if n_x >= n_y else _largest_gap(second, first)


def _largest_gap(large: NDArray[np.float64], small: NDArray[np.float64]) -> int:
    """Return the same of sorted samples.

    Between two values of the smaller sample its function is flat, so the larger's is furthest
    above it just before the next value, and furthest below it at the value itself. The smaller is
    placed into the larger once; only tied values are placed a second time, from the right.
    """
    divisor = math.gcd(large.size, small.size)
    step_large, step_small = small.size // divisor, large.size // divisor
    n_before = np.searchsorted(large, small, side="left")
    n_up_to = n_before.copy()
    is_tied = large[np.minimum(n_before, large.size - 1)] == small
    n_up_to[is_tied] = np.searchsorted(large, small[is_tied], side="right")
    own = np.arange(small.size) * step_small
    above = int((n_before * step_large - own).max())
    below = int((own + step_small - n_up_to * step_large).max())
    return max(above, below, 0)


def _asymptotic_p_value(statistic: float, n: int) -> float:
    """Return scipy's value; where it is below 1e-13, that of the limiting distribution.

    Small p values of large samples are twice the one-sided ones, of which scipy 1.17 adds up the
    ``n`` terms one at a time: 0.6 s for half a million, nine times as long as here.
    """
    limiting = float(kolmogorov(math.sqrt(n) * statistic))
    if limiting < NO_CHANCE:
        return limiting
    if n < MANY or n * statistic**2 < SMALL_SINCE:
        return float(kstwo.sf(statistic, n))
    j = np.arange(math.floor(n * (1 - statistic)) + 1)
    levels = statistic + j / n
    return float(2 * statistic * np.sum(binom.pmf(j, n, levels) / levels))


def _exact_p_value(n_x: int, n_y: int, gap: int) -> float:
    """Return the chance that a random merge order reaches a gap of ``gap`` lcm-ths.

    A merge order is a lattice path from (0, 0) to (n_x, n_y). Wanted is the share of the paths to
    each point that touched the gap on the way; only points inside the gap are computed, one
    anti-diagonal at a time or, where one sample is far smaller, one of its values at a time. All
    terms are positive, so nothing cancels.
    """
    if gap == 0:
        return 1.0
    large, small = max(n_x, n_y), min(n_x, n_y)
    p_value = _by_rows(large, small, gap) if large > ROWS_PAY * small else None
    return _by_diagonals(n_x, n_y, gap) if p_value is None else p_value


def _by_diagonals(n_x: int, n_y: int, gap: int) -> float:
    divisor = math.gcd(n_x, n_y)
    step_x, step_y = n_y // divisor, n_x // divisor
    reached = np.ones(n_x + 2)  # reached[i + 1] belongs to (i, s - i): a place left of 0 is there
    reached[1] = 0.0
    index = np.arange(n_x + 1, dtype=np.float64)
    start = 0
    for s in range(1, n_x + n_y + 1):
        low = max(0, s - n_y, (s * step_y - gap) // (step_x + step_y) + 1)
        high = min(n_x, s, -((-s * step_y - gap) // (step_x + step_y)) - 1)
        i = index[low : high + 1]
        band = (i * reached[low : high + 1] + (s - i) * reached[low + 1 : high + 2]) / s
        reached[low + 1 : high + 2] = band
        reached[start + 1 : low + 1] = 1.0
        start = low
    return float(reached[n_x + 1])


def _by_rows(n: int, m: int, gap: int) -> float | None:
    """Return the same, a row (i, j) of all i at once; None where its numbers get too small.

    With ``ways`` the paths to (i, j) over those to the last point of the row inside the gap, the
    paths that touched are those that did so in the row before or to the left: sums along the row.
    """
    divisor = math.gcd(n, m)
    step_n, step_m = m // divisor, n // divisor
    index = np.arange(n + 1, dtype=np.float64)
    reached = np.ones(n + 1)
    reached[: min(n, (gap - 1) // step_n) + 1] = 0.0
    for j in range(1, m + 1):
        low = max(0, (j * step_m - gap) // step_n + 1)
        high = min(n, -((-j * step_m - gap) // step_n) - 1)
        if high < low:
            return 1.0
        i = index[low : high + 1]
        from_left = i / (i + j)  # of the paths to a point, those that come along the row
        from_below = j / (i + j)
        ways = np.ones(i.size)
        ways[:-1] = np.cumprod(from_left[:0:-1])[::-1]
        if ways[0] < TOO_SMALL:
            return None
        touched = reached[low : high + 1] * ways * from_below
        touched[0] += ways[0] * from_left[0]  # all that come from outside
        reached[low : high + 1] = np.cumsum(touched) / ways
    return float(reached[n])
