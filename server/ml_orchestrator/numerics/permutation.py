"""Permutation tests of means: two samples, or many arms against one control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["MOST_VALUES", "Permuted", "max_t", "permutation_test"]

MOST_EXACT = 50_000  # arrangements
BLOCK_VALUES = 2_000_000  # held at once
MOST_VALUES = 50_000
MOST_DRAWN = 20_000_000  # values in all draws; with many values, fewer draws
LEAST_DRAWS = 499
CLOSE = 1e-9  # two arrangements that differ by rounding alone are equally extreme
NO_SPREAD = 1e-6  # squared error within arms, as a share of that of all values: taken as none
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Permuted:
    """A p value from rearranged labels.

    Attributes:
        p_value: two-sided; of a random draw never below ``1 / (n_arrangements + 1)``.
        n_arrangements: how many were looked at.
        is_exact: all there are, and not a random part of them.
    """

    p_value: float
    n_arrangements: int
    is_exact: bool


def permutation_test(
    first: ArrayLike,
    second: ArrayLike,
    *,
    rng: np.random.Generator,
    n_draws: int = 9_999,
) -> Permuted:
    """Test that means are equal, by the absolute Welch statistic of each arrangement.

    Exact for 0/1 values (Fisher's exact test in its form by difference), and where at most
    50,000 arrangements exist; else a random draw, counting the one observed, which keeps the
    promise of the level for any ``n_draws``. Under equal distributions the chance of
    ``p <= alpha`` is at most alpha, whatever they are. Where means alone are equal, and spreads
    and sizes are not, it tends to alpha as the samples grow: the statistic is studentized, and
    the plain difference of means would not do.

    Args:
        first: shape ``(n,)``, n at least 2.
        second: shape ``(m,)``, m at least 2.
        rng: draws the arrangements.
        n_draws: how many, where not all are looked at; fewer above 2,000 values.

    Raises:
        InvalidInputError: a sample is too small, or holds NaN or an infinity, or there are more
            than 50,000 values that are not 0 or 1.

    References:
        A. Janssen, "Studentized permutation tests for non-i.i.d. hypotheses and the generalized
        Behrens-Fisher problem", Statistics and Probability Letters 36 (1997).
        E. Chung, J. P. Romano, "Exact and asymptotically robust permutation tests", Annals of
        Statistics 41 (2013).
        B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical
        Applications in Genetics and Molecular Biology 9 (2010).

    >>> permutation_test([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], rng=np.random.default_rng(0)).p_value
    0.1
    """
    x, y = finite_sample(first, "first", n_least=2), finite_sample(second, "second", n_least=2)
    values = np.concatenate([x, y])
    if ((values == 0) | (values == 1)).all():
        return _of_counts(x, y)
    values = _centred(values)
    n_draws = _affordable(n_draws, values.size)
    n_all = math.comb(values.size, x.size)
    if n_all <= MOST_EXACT:
        return _exact(values, x.size, n_all)
    observed = _studentized(values[None, : x.size], values)[0]
    drawn = _drawn_statistics(values, x.size, rng, n_draws)
    n_extreme = int(np.count_nonzero(drawn >= observed * (1 - CLOSE)))
    return Permuted((n_extreme + 1) / (n_draws + 1), n_draws, False)


def max_t(
    arms: Sequence[ArrayLike], *, rng: np.random.Generator, n_draws: int = 1_999
) -> list[float]:
    """Return adjusted p values of every other arm against the first, as Dunnett's test does.

    Labels are drawn anew for all arms at once; each comparison's Welch statistic is held against
    the largest of its kind in each draw, so the chance of any false rejection is at most alpha
    when no arm differs, with the correlation of comparisons that share one control used. Without
    equal variances and sizes, that holds for large arms only.

    Args:
        arms: at least two samples, the control first.
        rng: draws the arrangements.
        n_draws: how many; the least p value is ``1 / (n_draws + 1)``. Fewer above 10,000 values.

    Raises:
        InvalidInputError: fewer than two arms, an arm has fewer than two values, or there are more
            than 50,000 in all.

    References:
        P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing", 1993, section 2.6.

    >>> arms = [[1.0, 2.0, 3.0], [1.5, 2.5, 2.0], [11.0, 12.0, 13.0]]
    >>> [p < 0.1 for p in max_t(arms, rng=np.random.default_rng(0))]
    [False, True]
    """
    samples = [finite_sample(arm, f"arm {i}", n_least=2) for i, arm in enumerate(arms)]
    if len(samples) < 2:
        raise InvalidInputError("At least a control and one other arm are needed.")
    sizes = [sample.size for sample in samples]
    values = _centred(np.concatenate(samples))
    n_draws = _affordable(n_draws, values.size)
    observed = _statistics(values[None, :], sizes)[0]
    n_extreme = np.ones(len(sizes) - 1)
    block = max(1, BLOCK_VALUES // values.size)
    for start in range(0, n_draws, block):
        n_rows = min(block, n_draws - start)
        drawn = rng.permuted(np.broadcast_to(values, (n_rows, values.size)), axis=1)
        largest = _statistics(drawn, sizes).max(axis=1)
        n_extreme += (largest[:, None] >= observed * (1 - CLOSE)).sum(axis=0)
    return [float(p) for p in n_extreme / (n_draws + 1)]


def _centred(values: Values) -> Values:
    """Return the values less their median: those that are all alike are then 0, not nearly so."""
    centred: Values = values - np.median(values)
    return centred


def _affordable(n_draws: int, n_values: int) -> int:
    """Return how many draws take a few seconds at most."""
    if n_values > MOST_VALUES:
        raise InvalidInputError(
            f"Permutations take at most {MOST_VALUES:,} values in all; found {n_values:,}. With so "
            "many, welch has the same error rate at once (correction holm for many arms)."
        )
    return min(n_draws, max(LEAST_DRAWS, MOST_DRAWN // n_values))


def _of_counts(x: Values, y: Values) -> Permuted:
    """Return the exact test of 0/1 values: successes of the first arm are hypergeometric."""
    total, n = int(x.sum() + y.sum()), x.size + y.size
    counts = np.arange(max(0, total - y.size), min(total, x.size) + 1)
    gaps = np.abs((total - counts) / y.size - counts / x.size)
    observed = abs(float(y.mean() - x.mean()))
    chances = hypergeom(n, total, x.size).pmf(counts)
    p_value = float(chances[gaps >= observed * (1 - CLOSE)].sum())
    return Permuted(min(1.0, p_value), counts.size, True)


def _exact(values: Values, n_first: int, n_all: int) -> Permuted:
    chosen = np.array(list(combinations(range(values.size), n_first)))
    found = _studentized(values[chosen], values)
    return Permuted(int(np.count_nonzero(found >= found[0] * (1 - CLOSE))) / n_all, n_all, True)


def _drawn_statistics(
    values: Values, n_first: int, rng: np.random.Generator, n_draws: int
) -> Values:
    block, found = max(1, BLOCK_VALUES // values.size), []
    for start in range(0, n_draws, block):
        n_rows = min(block, n_draws - start)
        drawn = rng.permuted(np.broadcast_to(values, (n_rows, values.size)), axis=1)
        found.append(_studentized(drawn[:, :n_first], values))
    return np.concatenate(found)


def _studentized(firsts: Values, values: Values) -> Values:
    """Return absolute Welch statistics, shape ``(n_rows,)``; 0 where all values are alike.

    The second arm has the values that the first, shape ``(n_rows, n)``, has not, so its sums are
    what is left of those of all ``values``. Errors that are rounding of such sums count as none,
    which makes the statistic infinite.
    """
    n, m = firsts.shape[1], values.size - firsts.shape[1]
    values, firsts = values - values.mean(), firsts - values.mean()
    sums, squares = firsts.sum(axis=1), np.einsum("ij,ij->i", firsts, firsts)
    all_squares = float(values @ values)
    gaps = np.abs(sums) * (1 / n + 1 / m)  # sums of all are 0
    within = (squares - sums**2 / n) / (n - 1) / n
    within += (all_squares - squares - sums**2 / m) / (m - 1) / m
    within[within <= NO_SPREAD * all_squares / values.size * (1 / n + 1 / m)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Values = np.where(gaps == 0, 0.0, gaps / np.sqrt(within))
    return ratios


def _statistics(rows: Values, sizes: Sequence[int]) -> Values:
    """Return absolute Welch statistics, shape ``(n_rows, n_arms - 1)``; 0 / 0 counts as 0."""
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    means = np.stack([part.mean(axis=1) for part in parts], axis=1)
    spreads = np.stack([part.var(axis=1, ddof=1) / part.shape[1] for part in parts], axis=1)
    gaps = np.abs(means[:, 1:] - means[:, :1])
    errors = np.sqrt(spreads[:, 1:] + spreads[:, :1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Values = np.where(gaps == 0, 0.0, gaps / errors)
    return ratios
