"""Cramér-von Mises, Anderson-Darling and the G-test against scipy and published values."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import anderson_ksamp, chi2_contingency, cramervonmises_2samp

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.anderson_darling import anderson_darling, limiting_sf
from ml_orchestrator.numerics.binning import PairedCounts
from ml_orchestrator.numerics.cramer_von_mises import cramer_von_mises
from ml_orchestrator.numerics.g_test import g_test_homogeneity

SAMPLES = st.lists(st.integers(-50, 50).map(float), min_size=4, max_size=30)
TABLES = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200)), min_size=2, max_size=10)


def _scipys_statistic(x: list[float], y: list[float]) -> float:
    """Undo the standardisation of scipy's statistic by moments for two samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its p value is capped; we compare ours apart
        standard = float(anderson_ksamp([x, y], variant="midrank").statistic)
    n = len(x) + len(y)
    harmonic = [1 / i for i in range(1, n)]
    h, big_h = sum(harmonic), 1 / len(x) + 1 / len(y)
    g = sum(1 / ((n - i) * j) for i in range(1, n - 1) for j in range(i + 1, n))
    a = 4 * g - 6 + (10 - 6 * g) * big_h
    b = 12 * g - 22 + 8 * h + (2 * g - 14 * h - 4) * big_h
    c = 4 * h + 2 * (4 * h - 4 * g + 6) + 4 * (6 * h + 2 * g - 2) + (2 * h - 6) * big_h
    d = 24.0
    variance = (a * n**3 + b * n**2 + c * n + d) / ((n - 1) * (n - 2) * (n - 3))
    return standard * math.sqrt(variance) + 1


@settings(derandomize=True, max_examples=100, deadline=None)
@given(SAMPLES, SAMPLES)
def test_anderson_darlings_statistic_is_scipys_before_it_is_standardised(
    x: list[float], y: list[float]
) -> None:
    result = anderson_darling(x, [*y, 51.0])
    assert result.statistic == pytest.approx(_scipys_statistic(x, [*y, 51.0]), rel=1e-12, abs=1e-12)
    assert anderson_darling([*y, 51.0], x) == result


@pytest.mark.parametrize(
    ("statistic", "chance"),
    # G. Marsaglia, J. Marsaglia, Journal of Statistical Software 9 (2004).
    [(1.248, 0.25), (1.933, 0.10), (2.492, 0.05), (3.878, 0.01)],
)
def test_the_limiting_distribution_has_its_published_percentage_points(
    statistic: float, chance: float
) -> None:
    assert limiting_sf(statistic) == pytest.approx(chance, abs=6e-5)


def test_the_limiting_distribution_falls_from_one_to_zero() -> None:
    values = [limiting_sf(z) for z in (-1.0, 0.0, 0.05, 0.2, 0.7, 2, 6, 15, 40, 99, 101, 1e6)]
    assert values == sorted(values, reverse=True)
    assert values[0] == values[1] == 1.0
    assert values[-1] == 0.0
    # The largest weight of the sum of squares is 1/2, so the tail falls as exp(-z).
    assert math.log(limiting_sf(15) / limiting_sf(16)) == pytest.approx(1, abs=0.05)


def test_anderson_darlings_p_value_is_that_of_permutations() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=25), rng.normal(0.5, 1.3, 31)
    both = np.concatenate([x, y])
    found = anderson_darling(x, y)
    n_drawn = 2_000
    n_beyond = sum(
        anderson_darling(drawn[:25], drawn[25:]).statistic >= found.statistic
        for drawn in (rng.permutation(both) for _ in range(n_drawn))
    )
    # Three standard errors of the permutation share.
    error = 3 * math.sqrt(found.p_value * (1 - found.p_value) / n_drawn)
    assert found.p_value == pytest.approx(n_beyond / n_drawn, abs=error + 0.003)


def test_anderson_darling_needs_four_values() -> None:
    with pytest.raises(InvalidInputError, match="needs four values in all; found 1 and 2"):
        anderson_darling([1.0], [2.0, 3.0])


@pytest.mark.parametrize("constant", [0.0, 7.5])
def test_equal_constants_do_not_differ(constant: float) -> None:
    same: NDArray[np.float64] = np.full(9, constant)
    assert anderson_darling(same, same[:5]).p_value == 1.0
    assert anderson_darling(same, same[:5]).statistic == 0.0
    assert cramer_von_mises(same, same[:5]).p_value == 1.0


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 500), min_size=5, max_size=90), st.integers(2, 88))
def test_cramer_von_mises_is_scipys_where_no_value_is_tied(values: set[int], n_x: int) -> None:
    drawn = np.random.default_rng(len(values)).permutation(sorted(values)).astype(np.float64)
    x, y = np.split(drawn, [min(n_x, drawn.size - 2)])
    ours, theirs = cramer_von_mises(x, y), cramervonmises_2samp(x, y)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert cramer_von_mises(y, x).statistic == pytest.approx(ours.statistic, abs=1e-12)


@pytest.mark.parametrize("sizes", [(3_000, 2_000), (5_000, 5_000), (12_000, 31)])
def test_cramer_von_mises_of_large_samples_is_scipys(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sizes[0])
    x, y = rng.normal(size=sizes[0]), rng.normal(0.05, 1, sizes[1])
    ours, theirs = cramer_von_mises(x, y), cramervonmises_2samp(x, y)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_ties_do_not_make_samples_of_one_distribution_differ() -> None:
    rng = np.random.default_rng(11)
    n_alarms = sum(
        cramer_von_mises(rng.integers(0, 3, 80), rng.integers(0, 3, 70)).p_value <= 0.05
        for _ in range(200)
    )
    assert n_alarms <= 20  # 10 expected at most; 20 or more by chance once in 300


@settings(derandomize=True, max_examples=200, deadline=None)
@given(TABLES)
def test_the_g_test_equals_scipys(table: list[tuple[int, int]]) -> None:
    both = np.array([*table, (3, 4), (0, 0)], dtype=np.int64)
    ours = g_test_homogeneity(PairedCounts(both[:, 0], both[:, 1]))
    theirs = chi2_contingency(both[:-1].T, correction=False, lambda_="log-likelihood")
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert ours.degrees_of_freedom == theirs.dof
    assert ours.smallest_expected == pytest.approx(theirs.expected_freq.min())
