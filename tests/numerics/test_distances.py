"""Distances of samples and of shares against scipy and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import energy_distance as scipys_energy_distance
from scipy.stats import wasserstein_distance

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.binning import category_counts, histogram_counts, without_zeros
from ml_orchestrator.numerics.energy import energy_distance, normalised_energy_distance
from ml_orchestrator.numerics.hellinger import hellinger
from ml_orchestrator.numerics.jensen_shannon import jensen_shannon
from ml_orchestrator.numerics.psi import population_stability_index
from ml_orchestrator.numerics.total_variation import total_variation
from ml_orchestrator.numerics.wasserstein import normalised_wasserstein, wasserstein

SAMPLES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30)
COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(SAMPLES, SAMPLES)
def test_wasserstein_equals_scipys_and_is_symmetric(x: list[float], y: list[float]) -> None:
    # Values reach 1e6, so 1e-12 relative to them is 1e-6 absolute at most.
    assert wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y), rel=1e-12, abs=1e-9)
    assert wasserstein(x, y) == wasserstein(y, x)


@pytest.mark.parametrize("sizes", [(1_000, 1_000), (5_000, 301), (40, 7_000)])
def test_wasserstein_equals_scipys_on_large_samples_with_ties(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sizes[1])
    x, y = rng.normal(size=sizes[0]).round(2), rng.normal(0.3, 2, sizes[1]).round(2)
    assert wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y), abs=1e-12)


def test_wasserstein_of_equal_sizes_is_the_mean_distance_of_ranks() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=777), rng.gamma(2, size=777)
    assert wasserstein(x, y) == pytest.approx(np.abs(np.sort(x) - np.sort(y)).mean(), abs=1e-12)


def test_a_constant_reference_is_scaled_by_a_thousandth() -> None:
    assert normalised_wasserstein(np.full(10, 5.0), np.full(4, 5.5)) == pytest.approx(500)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(SAMPLES, SAMPLES)
def test_the_energy_distance_equals_scipys_and_is_symmetric(x: list[float], y: list[float]) -> None:
    assert energy_distance(x, y) == pytest.approx(scipys_energy_distance(x, y), rel=1e-12, abs=1e-9)
    assert energy_distance(x, y) == energy_distance(y, x)


@pytest.mark.parametrize("sizes", [(1_000, 1_000), (5_000, 301), (40, 7_000)])
def test_the_energy_distance_equals_scipys_on_large_samples_with_ties(
    sizes: tuple[int, int],
) -> None:
    rng = np.random.default_rng(sizes[1])
    x, y = rng.normal(size=sizes[0]).round(2), rng.normal(0.3, 2, sizes[1]).round(2)
    assert energy_distance(x, y) == pytest.approx(scipys_energy_distance(x, y), abs=1e-12)


def test_the_energy_distance_follows_from_its_three_expectations() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=60), rng.normal(1, 2, 45).round(1)
    across, within_x, within_y = (
        np.abs(a[:, None] - b[None, :]).mean() for a, b in ((x, y), (x, x), (y, y))
    )
    expected = math.sqrt(2 * across - within_x - within_y)
    assert energy_distance(x, y) == pytest.approx(expected, abs=1e-12)


def test_a_change_of_unit_leaves_the_normalised_energy_distance_alone() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=50), rng.normal(1, 1, 60)
    assert normalised_energy_distance(1_000 * x, 1_000 * y) == pytest.approx(
        normalised_energy_distance(x, y), rel=1e-12
    )


@settings(derandomize=True, max_examples=200, deadline=None)
@given(COUNTS)
def test_hellinger_and_total_variation_bound_one_another(counts: list[tuple[int, int]]) -> None:
    p, q = _shares(counts)
    distance, variation = hellinger(p, q), total_variation(p, q)
    # Against the Bhattacharyya coefficient; its square is compared, as the root doubles rounding.
    assert distance**2 == pytest.approx(1 - np.sum(np.sqrt(p * q)), abs=1e-12)
    assert variation == pytest.approx(1 - np.minimum(p, q).sum(), abs=1e-12)
    assert distance**2 - 1e-12 <= variation <= math.sqrt(2) * distance + 1e-12


@settings(derandomize=True, max_examples=200, deadline=None)
@given(COUNTS)
def test_jensen_shannon_equals_scipys_and_stays_within_its_bounds(
    counts: list[tuple[int, int]],
) -> None:
    p, q = _shares(counts)
    distance = jensen_shannon(p, q)
    # Scipy does not stop rounding from pushing the divergence below zero; its square is compared.
    assert distance**2 == pytest.approx(np.nan_to_num(jensenshannon(p, q)) ** 2, abs=1e-12)
    assert 0 <= distance <= math.sqrt(math.log(2)) + 1e-12
    assert distance == pytest.approx(jensen_shannon(q, p), abs=1e-12)


def test_the_stability_index_follows_its_formula() -> None:
    p, q = np.array([0.2, 0.8]), np.array([0.5, 0.5])
    expected = 0.3 * math.log(0.5 / 0.2) + 0.3 * math.log(0.8 / 0.5)
    assert population_stability_index(p, q) == pytest.approx(expected, abs=1e-12)


def test_an_unseen_category_leaves_the_stability_index_finite() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    expected = 2 * (1 - 0.0001) * math.log(1 / 0.0001)
    assert population_stability_index(p, q) == pytest.approx(expected, abs=1e-12)


def test_an_empty_cell_beside_a_tiny_one_becomes_a_millionth_of_it() -> None:
    assert without_zeros(np.array([0.99995, 0.00005, 0.0]))[2] == pytest.approx(5e-11, rel=1e-12)


def test_cells_are_sturges_bins_above_twenty_reference_values_and_single_values_below() -> None:
    few, many = np.arange(20.0), np.arange(21.0)
    assert histogram_counts(few, [0.5, 30.0]).reference.tolist() == [1, 0, *[1] * 19, 0]
    # Sturges: log2(21 + 11) + 1 = 6 bins.
    assert histogram_counts(many, np.arange(11.0)).reference.size == 6


def test_every_value_falls_in_a_cell_and_unseen_categories_count_zero() -> None:
    rng = np.random.default_rng(9)
    counts = histogram_counts(rng.normal(size=500), rng.normal(7, size=321))
    assert (counts.reference.sum(), counts.current.sum()) == (500, 321)
    names, seen = category_counts(["b", "a", "b"], ["c", "a"])
    assert names == ["a", "b", "c"]
    assert (seen.reference.tolist(), seen.current.tolist()) == ([1, 2, 0], [1, 0, 1])


def test_values_that_no_bins_can_hold_are_refused() -> None:
    # 22 neighbouring floats leave room for 21 bins; Sturges' rule asks for 23.
    values = 1e16 + 2 * np.arange(22.0)
    with pytest.raises(InvalidInputError, match="cannot be put into bins"):
        histogram_counts(np.repeat(values, 100_000), values)


def test_categories_need_a_value_on_each_side() -> None:
    with pytest.raises(InvalidInputError, match="found 0 and 1"):
        category_counts([], ["a"])


def _shares(counts: list[tuple[int, int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # One more of each, so that no side is empty.
    table = np.array([*counts, (1, 1)], dtype=np.float64)
    return table[:, 0] / table[:, 0].sum(), table[:, 1] / table[:, 1].sum()
