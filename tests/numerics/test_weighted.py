"""Whole weights say what repeats of the values say."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ml_orchestrator.numerics.weighted import mean, n_effective, quantiles


@pytest.mark.parametrize("seed", range(5))
def test_whole_weights_are_repeats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, counts = np.round(rng.normal(size=41), 1), rng.integers(1, 5, 41)
    repeated, weights = np.repeat(values, counts), counts.astype(float)
    shares = np.linspace(0, 1, 21)

    assert mean(values, weights) == pytest.approx(repeated.mean(), rel=1e-12)
    assert quantiles(values, shares, weights) == pytest.approx(
        np.quantile(repeated, shares, method="averaged_inverted_cdf"), abs=1e-12
    )


def test_without_weights_they_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=30)

    assert mean(values) == np.mean(values)
    assert_array_equal(quantiles(values, [0.1, 0.5]), np.quantile(values, [0.1, 0.5]))


def test_equal_values_have_no_spread_whatever_their_weights() -> None:
    weights = np.random.default_rng(0).random(1_000)

    assert mean(np.full(1_000, 0.1), weights) == 0.1
    assert mean(np.array([True, False]), np.array([1.0, 3.0])) == 0.25


def test_rows_of_little_weight_say_little() -> None:
    assert n_effective(np.full(10, 0.3)) == pytest.approx(10)
    assert n_effective(np.repeat([1.0, 1e-6], 10)) == pytest.approx(10, rel=1e-4)
