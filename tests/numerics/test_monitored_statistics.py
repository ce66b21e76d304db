"""Tests that may be looked at again and again keep what they promise."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.mixture_sprt import log_e_value, radius
from ml_orchestrator.numerics.paired_betting import (
    difference_bounds,
    log_e_process,
    pair_up,
)
from ml_orchestrator.numerics.power import units_when_monitored
from ml_orchestrator.numerics.sample_ratio import log_e_sizes, sizes_p_value

ALPHA = 0.05
ENOUGH = -math.log(ALPHA)


def test_the_e_value_is_the_likelihood_of_a_mixture_by_integration() -> None:
    estimate, variance, tau = 0.12, 0.004, 0.07
    mixed, _ = quad(
        lambda t: stats.norm.pdf(estimate, t, math.sqrt(variance)) * stats.norm.pdf(t, 0, tau),
        -1, 1,
    )  # fmt: skip
    alone = stats.norm.pdf(estimate, 0, math.sqrt(variance))
    assert log_e_value(estimate, variance, tau=tau) == pytest.approx(math.log(mixed / alone))


def test_the_sequence_leaves_zero_out_exactly_when_the_e_value_is_enough() -> None:
    for alpha in (0.001, 0.05, 0.4):
        edge = radius(0.02, tau=0.3, alpha=alpha)
        assert log_e_value(edge, 0.02, tau=0.3) == pytest.approx(-math.log(alpha), rel=1e-10)
    with pytest.raises(InvalidInputError, match="above 0"):
        radius(0.0, tau=0.3, alpha=0.05)


def test_a_hundred_looks_raise_no_more_false_alarms_than_promised() -> None:
    rng, n_runs = np.random.default_rng(0), 600
    n = np.arange(20, 2_001, 20)
    n_mixture = n_betting = n_peeking = 0
    for _ in range(n_runs):
        x, y = rng.binomial(1, 0.3, (2, 2_000)).astype(float)
        mean_x, mean_y = np.cumsum(x)[n - 1] / n, np.cumsum(y)[n - 1] / n
        variance = (mean_x * (1 - mean_x) + mean_y * (1 - mean_y)) / n
        gaps = mean_y - mean_x
        looks = [log_e_value(g, v, tau=0.05) for g, v in zip(gaps, variance, strict=True)]
        n_mixture += max(looks) >= ENOUGH
        n_betting += bool(log_e_process(pair_up(x, y, (0, 1))).max() >= ENOUGH)
        n_peeking += bool((np.abs(gaps) / np.sqrt(variance) > 1.96).any())

    # Binomial(600, 0.05) exceeds 47 once in a thousand.
    assert n_mixture <= 47
    assert n_betting <= 47
    assert n_peeking > 150, "the simulation would not notice a test that peeks"


def test_betting_finds_a_difference_in_either_direction_and_bounds_it() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.binomial(1, 0.3, 4_000), rng.binomial(1, 0.4, 4_000)
    for first, second, truth in ((low, high, 0.1), (high, low, -0.1)):
        pairs = pair_up(first, second, (0, 1))
        assert log_e_process(pairs).max() >= ENOUGH
        bounds = difference_bounds(pairs, alpha=ALPHA)
        assert bounds[0] < truth < bounds[1]
        assert bounds[0] > 0 or bounds[1] < 0


def test_the_wealth_is_that_of_gamblers_counted_bet_by_bet() -> None:
    x, y = np.random.default_rng(5).uniform(size=(2, 60))
    shares = [2.0 ** -(k / 2) for k in range(14, 1, -1)] + [0.9]
    wealth = [
        sum(math.prod(1 + sign * s * (b - a) for a, b in zip(x, y, strict=True)) for s in shares)
        for sign in (1, -1)
    ]
    ours = log_e_process(pair_up(x, y, (0, 1)))[-1]
    assert ours == pytest.approx(math.log(max(wealth) / (2 * len(shares))), rel=1e-10)
    # At the lower bound, betting on more has made 1 / (alpha / 2).
    pairs = pair_up(x, y + 0.5, (0, 2))
    low = difference_bounds(pairs, alpha=ALPHA)[0] / (2 * pairs.span) + 0.5
    made = np.mean([np.prod(1 + s * (pairs.values / low - 1)) for s in shares])
    assert made == pytest.approx(40.0, rel=1e-5)


def test_bets_are_in_the_units_of_the_outcome_and_know_their_bounds() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(10, 30, (2, 500))
    wide = difference_bounds(pair_up(x, y + 10, (10, 40)), alpha=ALPHA)
    assert wide[0] < 10 < wide[1]
    with pytest.raises(InvalidInputError, match="outside the bounds 0 to 20"):
        pair_up(x, y, (0, 20))


def test_a_monitored_plan_has_the_power_it_promises() -> None:
    plan = units_when_monitored(0.4, 1.0, alpha=ALPHA, power=0.8, tau=0.4)
    rng, found = np.random.default_rng(3), []
    for _ in range(400):
        x, y = rng.normal(0, 1, plan.n_most), rng.normal(0.4, 1, plan.n_most)
        n = np.arange(1, plan.n_most + 1)
        gaps = (np.cumsum(y) - np.cumsum(x)) / n
        hits = [log_e_value(gaps[i], 2 / n[i], tau=0.4) >= ENOUGH for i in range(4, plan.n_most, 4)]
        found.append(any(hits))
    # Four standard errors of a share of 400.
    assert np.mean(found) == pytest.approx(0.8, abs=0.08)
    assert plan.n_median < plan.n_most


def test_sizes_are_tested_as_by_scipy_and_by_a_closed_form() -> None:
    theirs = stats.chisquare([480, 530, 990], [500, 500, 1_000]).pvalue
    assert sizes_p_value([480, 530, 990], [1, 1, 2]) == pytest.approx(theirs, rel=1e-10)
    # Two arms: the Dirichlet mixture is a beta-binomial.
    n, k = 200, 120
    mixed = stats.betabinom(n, 50, 50).logpmf(k) - stats.binom(n, 0.5).logpmf(k)
    assert log_e_sizes([k, n - k], [1, 1]) == pytest.approx(mixed, rel=1e-9)


def test_sizes_looked_at_after_every_unit_raise_few_false_alarms() -> None:
    rng, n_alarms = np.random.default_rng(4), 0
    for _ in range(300):
        arm = np.cumsum(rng.random(400) < 0.5)
        looks = [log_e_sizes([int(arm[i]), i + 1 - int(arm[i])], [1, 1])
                 for i in range(9, 400, 10)]  # fmt: skip
        n_alarms += max(looks) >= ENOUGH
    # Binomial(300, 0.05) exceeds 27 once in a thousand.
    assert n_alarms <= 27
