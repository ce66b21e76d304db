"""The Kolmogorov-Smirnov test against scipy and against enumeration."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics import kolmogorov_smirnov as ks
from ml_orchestrator.numerics.kolmogorov_smirnov import LARGEST_EXACT_SAMPLE, kolmogorov_smirnov

SIZES = [(1, 1), (1, 9), (8, 8), (30, 45), (120, 121), (500, 500), (900, 40), (12_000, 300)]
SIZES += [(60, 3_000), (9_000, 61), (8_000, 2_500)]  # of the last, far tails are beyond rows
SAMPLES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=40)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("shift", [0.0, 0.4, 9.0])
@pytest.mark.parametrize("decimals", [1, 12])
def test_statistic_and_p_value_equal_scipys(
    sizes: tuple[int, int], shift: float, decimals: int
) -> None:
    rng = np.random.default_rng(sizes[0])
    x = rng.normal(size=sizes[0]).round(decimals)
    y = rng.normal(shift, size=sizes[1]).round(decimals)
    ours, theirs = kolmogorov_smirnov(x, y), ks_2samp(x, y, method="auto")
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    # The relative bound holds in the far tail too, where an absolute one would say nothing; of
    # large samples, a p value below 1e-13 is that of the limiting distribution.
    smallest = 1e-300 if max(sizes) <= LARGEST_EXACT_SAMPLE else 1e-13
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-11, abs=smallest)
    assert abs(ours.p_value - theirs.pvalue) <= 1e-12


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.03, 0.045, 0.06, 0.1])
def test_large_samples_equal_scipys_from_certain_to_impossible(shift: float) -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=30_000), rng.normal(shift, size=25_000)
    ours, theirs = kolmogorov_smirnov(x, y), ks_2samp(x, y, method="auto")
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-11, abs=1e-13)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(SAMPLES, SAMPLES)
def test_samples_full_of_ties_equal_scipys(x: list[float], y: list[float]) -> None:
    ours = kolmogorov_smirnov(x, y)
    with warnings.catch_warnings(record=True) as fallback:
        warnings.simplefilter("always")
        theirs = ks_2samp(x, y, method="auto")
    # scipy 1.17 rounds some p values of 1 to above 1, warns, and gives the asymptotic one instead.
    expected = 1.0 if fallback else theirs.pvalue
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n_x", "n_y"), [(3, 4), (5, 5), (2, 6)])
def test_the_exact_p_value_is_the_share_of_all_merge_orders(n_x: int, n_y: int) -> None:
    ranks = range(n_x + n_y)
    statistics = []
    for chosen in itertools.combinations(ranks, n_x):
        rest = sorted(set(ranks) - set(chosen))
        statistics.append(kolmogorov_smirnov(chosen, rest))
    for result in statistics:
        at_least = sum(other.statistic >= result.statistic for other in statistics)
        assert result.p_value == pytest.approx(at_least / len(statistics), abs=1e-12)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 120), st.floats(0, 1))
def test_rows_and_diagonals_give_the_same_p_value(n_small: int, n_large: int, share: float) -> None:
    gap = max(1, round(share * math.lcm(n_small, n_large)))
    expected = ks._by_diagonals(n_large, n_small, gap)
    assert ks._by_rows(n_large, n_small, gap) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("n_large", "n_small"), [(300, 100), (900, 250)])
def test_samples_that_do_not_overlap_are_two_of_all_merge_orders(
    n_large: int, n_small: int
) -> None:
    x, y = np.arange(n_large), -1.0 - np.arange(n_small)
    expected = 2 / math.comb(n_large + n_small, n_small)  # rows cannot hold the second
    assert kolmogorov_smirnov(x, y).p_value == pytest.approx(expected, rel=1e-12, abs=0)
    assert (ks._by_rows(n_large, n_small, math.lcm(n_large, n_small)) is None) == (n_large == 900)


def test_equal_constants_do_not_differ_and_unequal_ones_differ_wholly() -> None:
    same = kolmogorov_smirnov(np.full(50, 2.0), np.full(30, 2.0))
    other = kolmogorov_smirnov(np.full(50, 2.0), np.full(30, 3.0))
    assert (same.statistic, same.p_value) == (0.0, 1.0)
    assert other.statistic == 1.0
    assert other.p_value < 1e-20


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [np.inf], [[1.0]]])
def test_a_sample_that_is_empty_or_not_finite_is_refused(bad: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="Sample 'y'"):
        kolmogorov_smirnov([1.0, 2.0], bad)
