"""Whether values of one sample tend to be larger: Mann and Whitney's effect with its test."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit
from scipy.stats import rankdata

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Superiority", "mann_whitney"]

LEAST_LARGE = 30  # values of the smaller sample: below, the t distribution is no guide to small p
MOST_EXACT = 20_000  # arrangements
N_DRAWS = 19_999  # of more
SEED = 0  # of the draws: the same for all samples of a size, so that p follows the statistic
CLOSE = 1e-9  # two arrangements that differ by rounding alone are equally extreme
LARGEST_ODDS = 1e12
Values = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Superiority:
    """How often a value of the second sample is larger than one of the first.

    Attributes:
        probability: that it is larger, ties counted half; 0.5 is no tendency.
        low: lower end of the interval.
        high: upper end.
        p_value: two-sided, of the hypothesis that there is no tendency.
        interval_p: likewise, of the test that the interval inverts; of large samples the same.
    """

    probability: float
    low: float
    high: float
    p_value: float
    interval_p: float


def mann_whitney(first: ArrayLike, second: ArrayLike, *, alpha: float) -> Superiority:
    """Test whether values of either sample tend to be larger, and measure the tendency.

    The statistic is Brunner and Munzel's, which needs no equal shapes; Wilcoxon's test asks for
    equal distributions, and finds unequal spreads too. With 30 values or more in both samples the
    p value equals scipy's ``brunnermunzel``, and is below alpha exactly when the interval, cut at
    0 and 1, leaves 0.5 out. With fewer it is that of the statistic among rearranged labels: all of
    them, where there are at most 20,000, else 19,999 drawn, the same for all samples of a size,
    that observed counted too. No arrangement is more extreme than samples that do not overlap.
    The interval is the t distribution's still, so test and interval may disagree. Samples that do
    not overlap leave no variance: of small ones the interval holds where one sample is as the
    largest, or the least, of several draws of the other (Lehmann's alternatives), and leaves 0.5
    out as the exact test does; of large ones test and interval are those of as many independent
    pairs as the smaller sample has values, which all went one way.

    Args:
        first: shape ``(n,)``, n at least 2.
        second: shape ``(m,)``, m at least 2.
        alpha: the interval holds at ``1 - alpha``.

    Raises:
        InvalidInputError: a sample is too small, or holds NaN or an infinity.

    References:
        E. Brunner, U. Munzel, "The nonparametric Behrens-Fisher problem", Biometrical Journal 42
        (2000).
        K. Neubert, E. Brunner, "A studentized permutation test for the non-parametric
        Behrens-Fisher problem", Computational Statistics and Data Analysis 51 (2007).
        E. L. Lehmann, "The power of rank tests", Annals of Mathematical Statistics 24 (1953).

    >>> found = mann_whitney([1.0, 2.0, 3.0], [2.5, 3.5, 4.5], alpha=0.05)
    >>> round(found.probability, 4), found.p_value
    (0.8889, 0.2)
    """
    x, y = finite_sample(first, "first", n_least=2), finite_sample(second, "second", n_least=2)
    is_small = min(x.size, y.size) < LEAST_LARGE
    p_value = _permuted(x, y) if is_small else None
    together = rankdata(np.concatenate([x, y]))
    ranks_x, ranks_y = together[: x.size], together[x.size :]
    placed_x, placed_y = ranks_x - rankdata(x), ranks_y - rankdata(y)
    probability = float(placed_y.mean() / x.size)
    spread_x = float(placed_x.var(ddof=1)) / y.size**2 / x.size
    spread_y = float(placed_y.var(ddof=1)) / x.size**2 / y.size
    error = float(np.sqrt(spread_x + spread_y))
    if error == 0:
        bound = _without_overlap if is_small else _of_pairs
        low, high, interval_p = bound(probability, x.size, y.size, alpha)
    else:
        degrees = error**4 / (spread_x**2 / (x.size - 1) + spread_y**2 / (y.size - 1))
        half = float(-stdtrit(degrees, alpha / 2)) * error
        low, high = max(0.0, probability - half), min(1.0, probability + half)
        interval_p = float(2 * stdtr(degrees, -abs(probability - 0.5) / error))
    return Superiority(
        probability, low, high, interval_p if p_value is None else p_value, interval_p
    )


def _of_pairs(probability: float, n: int, m: int, alpha: float) -> tuple[float, float, float]:
    """Return Clopper and Pearson's interval of pairs that all went one way, and the sign test.

    Complete separation makes the i-th value of one sample beat the i-th of the other each time.
    Of ties alone nothing is known.
    """
    if probability not in (0.0, 1.0):
        return 0.0, 1.0, 1.0
    edge = float((alpha / 2) ** (1 / min(n, m)))
    return (*_one_sided(probability, edge), 2 * 0.5 ** min(n, m))


def _without_overlap(
    probability: float, n: int, m: int, alpha: float
) -> tuple[float, float, float]:
    """Return Lehmann's interval of small samples without overlap, and the exact test of ranks.

    Where each value of one sample is the largest of k draws of the other's distribution, it is
    larger than one of the other's in k of k + 1, and samples do not overlap with the chance below.
    The bound is where that is alpha / 2; of both ways, the wider interval.
    """
    if probability not in (0.0, 1.0):
        return 0.0, 1.0, 1.0
    odds = min(_odds(n, m, alpha), _odds(m, n, alpha))
    return (*_one_sided(probability, odds / (1 + odds)), 2 / math.comb(n + m, n))


def _odds(n: int, m: int, alpha: float) -> float:
    of_each = np.arange(1, m + 1)

    def above(log_odds: float) -> float:
        return float(-np.log1p(n / (of_each * math.exp(log_odds))).sum()) - math.log(alpha / 2)

    end = math.log(LARGEST_ODDS)
    return math.exp(brentq(above, -end, end))


def _one_sided(probability: float, edge: float) -> tuple[float, float]:
    return (edge, 1.0) if probability == 1 else (0.0, 1 - edge)


def _permuted(x: Values, y: Values) -> float:
    """Return the p value of the absolute statistic among those of rearranged labels."""
    few, many = sorted((x, y), key=len)
    values, groups = np.unique(np.concatenate([few, many]), return_inverse=True)
    statistic = _statistics(groups, np.bincount(groups, minlength=values.size), few.size)
    observed = statistic(np.sort(groups[: few.size])[None, :])[0]
    rows = _arrangements(groups.size, few.size)
    found = statistic(np.sort(groups)[rows])
    n_extreme = int(np.count_nonzero(found >= observed * (1 - CLOSE)))
    if math.comb(groups.size, few.size) <= MOST_EXACT:
        return n_extreme / len(rows)
    return (n_extreme + 1) / (len(rows) + 1)


@lru_cache(maxsize=4)
def _arrangements(n_values: int, n_few: int) -> Places:
    """Return places of the smaller sample among sorted values, shape ``(n_rows, n_few)``."""
    if math.comb(n_values, n_few) <= MOST_EXACT:
        return np.array(list(combinations(range(n_values), n_few)), dtype=np.int64)
    rng = np.random.default_rng(SEED)
    rows = [rng.choice(n_values, n_few, replace=False, shuffle=False) for _ in range(N_DRAWS)]
    return np.sort(np.array(rows, dtype=np.int64), axis=1)


def _statistics(groups: Places, sizes: Places, n: int) -> Callable[[Places], Values]:
    """Return a function from arrangements to Brunner and Munzel's statistics, without sign.

    It takes the groups of equal values that the smaller sample's stand in, ascending, shape
    ``(n_rows, n)``. What is left of each group is the larger sample's, so no row of those is held.

    Args:
        groups: of all values.
        sizes: of each group.
        n: values of the smaller sample.
    """
    m = groups.size - n
    below = np.cumsum(sizes) - sizes
    order = np.arange(n)

    def statistic(rows: Places) -> Values:
        lesser, equal = np.broadcast_to(order, rows.shape), np.ones_like(rows)
        if sizes.max() > 1:
            lesser = (rows[:, :, None] > rows[:, None, :]).sum(axis=2)
            equal = (rows[:, :, None] == rows[:, None, :]).sum(axis=2)
        tied = sizes[rows] - equal
        placed = below[rows] - lesser + tied / 2
        total = placed.sum(axis=1)
        # Squares of the other sample's placements, by pairs of this one: the larger of a pair
        # says how many of the other are above both; ties within a group count a quarter.
        squares = ((m - placed) * (2 * order + 1)).sum(axis=1) - (tied * equal).sum(axis=1) / 4
        spread = ((placed**2).sum(axis=1) - total**2 / n) / (n - 1) / m**2 / n
        spread += (squares - (n * m - total) ** 2 / m) / (m - 1) / n**2 / m
        gaps = np.abs(total / (n * m) - 0.5)
        is_apart = (total == 0) | (total == n * m)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios: Values = np.where(gaps == 0, 0.0, gaps / np.sqrt(spread))
        ratios[is_apart] = np.inf
        return ratios

    return statistic
