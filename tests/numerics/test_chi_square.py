"""Chi-square tests against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare, norm

from ml_orchestrator.numerics.binning import PairedCounts
from ml_orchestrator.numerics.chi_square import chi_square_fit, chi_square_homogeneity

TABLES = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200)), min_size=2, max_size=10)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(TABLES)
def test_homogeneity_equals_scipys(table: list[tuple[int, int]]) -> None:
    counts = _counts([*table, (3, 4)])
    ours = chi_square_homogeneity(counts)
    observed = np.stack([counts.reference, counts.current])
    theirs = chi2_contingency(observed, correction=False)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert ours.degrees_of_freedom == theirs.dof
    assert ours.smallest_expected == pytest.approx(theirs.expected_freq.min())


@settings(derandomize=True, max_examples=200, deadline=None)
@given(TABLES)
def test_fit_equals_scipys(table: list[tuple[int, int]]) -> None:
    counts = _counts([*table, (3, 4)])
    ours = chi_square_fit(counts)
    expected = counts.reference * counts.current.sum() / counts.reference.sum()
    theirs = chisquare(counts.current, expected)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_two_categories_give_the_z_test_of_two_proportions() -> None:
    pooled = (30 + 55) / (100 + 120)
    z = (30 / 100 - 55 / 120) / math.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 120))
    result = chi_square_homogeneity(_counts([(30, 55), (70, 65)]))
    assert result.p_value == pytest.approx(2 * norm.sf(abs(z)), abs=1e-12)


def test_a_category_empty_on_both_sides_changes_nothing() -> None:
    table = [(10, 20), (30, 15)]
    for test in (chi_square_homogeneity, chi_square_fit):
        assert test(_counts([*table, (0, 0)])) == test(_counts(table))


def test_one_category_never_differs() -> None:
    for test in (chi_square_homogeneity, chi_square_fit):
        result = test(_counts([(10, 25)]))
        assert (result.statistic, result.p_value, result.degrees_of_freedom) == (0.0, 1.0, 0)


def test_a_category_unseen_in_the_reference_is_impossible_only_if_the_reference_is_known() -> None:
    counts = _counts([(500, 499), (0, 1)])
    assert chi_square_homogeneity(counts).p_value > 0.3
    assert (chi_square_fit(counts).statistic, chi_square_fit(counts).p_value) == (math.inf, 0.0)


def _counts(table: list[tuple[int, int]]) -> PairedCounts:
    both = np.array(table, dtype=np.int64)
    return PairedCounts(both[:, 0], both[:, 1])
