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
    """Test that labels do not matter, by the absolute difference of means.

    Exact for 0/1 values (Fisher's exact test in its form by difference), and where at most
    50,000 arrangements exist; else a random draw, counting the one observed, which keeps the
    promise of the level for any ``n_draws``. Under equal distributions the chance of
    ``p <= alpha`` is at most alpha, whatever they are.

    Args:
        first: shape ``(n,)``.
        second: shape ``(m,)``.
        rng: draws the arrangements.
        n_draws: how many, where not all are looked at; fewer above 2,000 values.

    Raises:
        InvalidInputError: a sample is empty, or holds NaN or an infinity, or there are more than
            50,000 values that are not 0 or 1.

    References:
        B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical
        Applications in Genetics and Molecular Biology 9 (2010).

    >>> permutation_test([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], rng=np.random.default_rng(0)).p_value
    0.1
    """
    x, y = finite_sample(first, "first"), finite_sample(second, "second")
    values = np.concatenate([x, y])
    if ((values == 0) | (values == 1)).all():
        return _of_counts(x, y)
    values = _centred(values)
    x, y = np.split(values, [x.size])
    n_draws = _affordable(n_draws, values.size)
    n_all = math.comb(values.size, x.size)
    if n_all <= MOST_EXACT:
        return _exact(values, x.size, n_all)
    means = _drawn_differences(values, x.size, rng, n_draws)
    observed = abs(float(y.mean() - x.mean()))
    n_extreme = int(np.count_nonzero(means >= observed * (1 - CLOSE)))
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
    sums = values[chosen].sum(axis=1)
    gaps = _gaps(sums, values, n_first)
    return Permuted(int(np.count_nonzero(gaps >= gaps[0] * (1 - CLOSE))) / n_all, n_all, True)


def _drawn_differences(
    values: Values, n_first: int, rng: np.random.Generator, n_draws: int
) -> Values:
    block, found = max(1, BLOCK_VALUES // values.size), []
    for start in range(0, n_draws, block):
        n_rows = min(block, n_draws - start)
        drawn = rng.permuted(np.broadcast_to(values, (n_rows, values.size)), axis=1)
        found.append(_gaps(drawn[:, :n_first].sum(axis=1), values, n_first))
    return np.concatenate(found)


def _gaps(sums: Values, values: Values, n_first: int) -> Values:
    gaps: Values = np.abs((values.sum() - sums) / (values.size - n_first) - sums / n_first)
    return gaps


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
