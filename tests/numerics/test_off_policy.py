"""Estimates of other policies: right on average, honest about their error, refused when blind."""

import math
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.off_policy import (
    Estimate,
    direct_method,
    doubly_robust,
    gain_over,
    importance_weights,
    inverse_propensity,
    self_normalised,
    support_of,
)
from ml_orchestrator.numerics.reward_models import cross_fitted
from ml_orchestrator.numerics.wilson import wilson_interval

N, N_ACTIONS = 400, 3
SLOPES = np.array([[0.6, -0.2], [-0.3, 0.5], [0.1, 0.1]])


class World:
    """Rewards that are linear in two features; logged by one policy, asked about another."""

    def __init__(self, seed: int, *, n: int = N) -> None:
        self.rng = np.random.default_rng(seed)
        self.contexts = self.rng.random((n, 2))
        self.means = 0.3 + self.contexts @ SLOPES.T
        logging = np.exp(2 * self.contexts @ SLOPES.T)
        self.logging = logging / logging.sum(axis=1, keepdims=True)
        self.target = 0.1 + 0.7 * (self.means == self.means.max(axis=1, keepdims=True))
        draws = self.rng.random((n, 1))
        self.actions = (self.logging.cumsum(axis=1) < draws).sum(axis=1)
        rows = np.arange(n)
        self.rewards = (self.rng.random(n) < self.means[rows, self.actions]).astype(float)
        self.weights = importance_weights(
            self.target[rows, self.actions], self.logging[rows, self.actions]
        )

    def estimates(self) -> dict[str, Estimate]:
        expected = cross_fitted(
            self.contexts, self.actions, self.rewards, n_actions=N_ACTIONS, rng=self.rng
        )
        return {
            "ips": inverse_propensity(self.rewards, self.weights),
            "snips": self_normalised(self.rewards, self.weights),
            "dr": doubly_robust(self.rewards, self.weights, self.actions, expected, self.target),
        }


def true_value() -> float:
    large = World(99, n=400_000)
    return float((large.target * large.means).sum(axis=1).mean())


def test_intervals_hold_the_truth_as_often_as_they_say_and_the_error_shrinks_with_a_model() -> None:
    truth, runs = true_value(), [World(seed).estimates() for seed in range(500)]

    covered = {
        name: np.mean([run[name].low <= truth <= run[name].high for run in runs])
        for name in runs[0]
    }
    spread = {name: np.std([run[name].value for run in runs]) for name in runs[0]}
    bias = {name: np.mean([run[name].value for run in runs]) - truth for name in runs[0]}

    # 500 runs: a coverage of .95 is seen within .93 to .97 (two standard errors of .0097).
    assert all(0.93 <= share <= 0.97 for share in covered.values()), covered
    assert all(abs(bias[name]) < 4 * spread[name] / math.sqrt(500) for name in bias), bias
    assert spread["dr"] < spread["ips"]


def test_a_wrong_model_or_wrong_propensities_alone_leave_doubly_robust_right() -> None:
    truth, world = true_value(), World(1, n=60_000)
    rows = np.arange(60_000)
    wrong_model = np.full((60_000, N_ACTIONS), 0.9)
    wrong_weights = importance_weights(world.target[rows, world.actions], np.full(60_000, 1 / 3))

    by_weights = doubly_robust(
        world.rewards, world.weights, world.actions, wrong_model, world.target
    )
    by_model = doubly_robust(world.rewards, wrong_weights, world.actions, world.means, world.target)
    by_neither = doubly_robust(
        world.rewards, wrong_weights, world.actions, wrong_model, world.target
    )

    assert by_weights.value == pytest.approx(truth, abs=0.01)
    assert by_model.value == pytest.approx(truth, abs=0.01)
    assert abs(by_neither.value - truth) > 0.02
    assert direct_method(wrong_model, world.target).value == pytest.approx(0.9)


def test_a_policy_like_the_one_logged_is_worth_the_mean_reward() -> None:
    rewards = np.array([1.0, 0.0, 1.0, 1.0])
    weights = importance_weights([0.5] * 4, [0.5] * 4)

    # By hand: 1.96**2 / 4 rows of reward 0 and as many of 1 join the four.
    each = 1.96**2 / 4
    middle = (3 + each) / (4 + 2 * each)
    squares = 4 * np.var(rewards, ddof=1) + each * (middle**2 + (1 - middle) ** 2)
    reach = 1.96 * math.sqrt(squares) / (4 + 2 * each)
    for estimate in (inverse_propensity(rewards, weights), self_normalised(rewards, weights)):
        assert (estimate.value, estimate.middle) == pytest.approx((0.75, middle), rel=1e-4)
        assert estimate.low == pytest.approx(middle - reach, rel=1e-4)
        assert estimate.high == 1.0  # cut: without, it would end beyond
        gain = gain_over(rewards, estimate, weights)
        assert (gain.value, gain.low, gain.high) == pytest.approx((0.0, 0.0, 0.0))


def test_rows_that_all_succeeded_leave_an_interval_about_as_wide_as_wilsons() -> None:
    rewards, weights = np.ones(80), np.repeat([2.0, 0.0], 40)

    value = self_normalised(rewards, weights)
    gain = gain_over(rewards, value, weights)

    assert (value.value, value.high) == (1.0, 1.0)
    # Wilson's lower bound of 40 in 40 is .912; that of the added rows is .929.
    assert value.low == pytest.approx(wilson_interval(40, 40)[0], abs=0.02)
    # Newcombe's of two arms of 40 in 40 is +-.088; the log is half of either: half of that.
    assert gain.value == 0
    assert 0.02 < gain.high < 0.05
    assert gain.low == pytest.approx(-gain.high)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 500.0)])
def test_intervals_are_the_same_in_every_unit(low: float, high: float) -> None:
    world = World(5)
    unit = gain_over(world.rewards, self_normalised(world.rewards, world.weights), world.weights)
    rewards = low + (high - low) * world.rewards
    other = gain_over(rewards, self_normalised(rewards, world.weights), world.weights)

    assert other.low == pytest.approx((high - low) * unit.low)
    assert other.high == pytest.approx((high - low) * unit.high)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.95, 0.98, 0.02])
def test_at_rates_near_the_ends_intervals_hold_the_truth_and_claims_are_seldom_false(
    rate: float,
) -> None:
    """Every action earns the same; 40 of 480 rows count. Without added rows .98 holds 57 %."""
    held, n_false, n_seeds = {"snips": 0, "dr": 0}, 0, 400
    for seed in range(n_seeds):
        rng = np.random.default_rng([seed, 3])
        actions = rng.integers(12, size=480)
        rewards, weights = (rng.random(480) < rate).astype(float), 12.0 * (actions == 0)
        target = np.tile(np.eye(12)[0], (480, 1))
        seen = np.array([rewards[actions == a].mean() for a in range(12)])
        found = {
            "snips": self_normalised(rewards, weights),
            "dr": doubly_robust(rewards, weights, actions, np.tile(seen, (480, 1)), target),
        }
        for name, estimate in found.items():
            held[name] += estimate.low <= rate <= estimate.high
        gain = gain_over(rewards, found["snips"], weights)
        n_false += gain.low > 0 or gain.high < 0

    # Of 400: .93 less two standard errors of .011, .05 and three of them.
    assert min(held.values()) / n_seeds >= 0.91, held
    assert n_false / n_seeds <= 0.083


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.append(np.zeros(999), 1000.0), r"count for 1\.0 only, less than 1 %"),
        (np.full(100, 1.3), r"is 1\.300 and not near 1; chance explains .* 0\.100 at most"),
        (np.full(100, 0.5), r"is 0\.500 and not near 1"),
        (np.zeros(10), r"count for 0\.0 only"),
        (np.r_[20.0, 20.0, np.zeros(38)], r"The 40 rows count for 2\.0 only; at least 30 are"),
        (np.ones(29), r"The 29 rows count for 29\.0 only; at least 30 are needed"),
    ],
)
def test_thin_or_unbalanced_support_is_refused_with_the_reason(
    weights: NDArray[np.float64], said: str
) -> None:
    refusal = support_of(weights).refusal

    assert refusal is not None
    assert re.search(said, refusal)


def test_thirty_rows_that_count_fully_are_enough() -> None:
    assert support_of(np.ones(30)).refusal is None


def test_right_propensities_are_not_called_wrong_for_what_chance_does_to_their_mean() -> None:
    """89 of 300 rows did what has a chance of a quarter: 1.19 on average, 1.8 errors from 1."""
    right, wrong = np.r_[np.full(89, 4.0), np.zeros(211)], np.r_[np.full(120, 4.0), np.zeros(180)]

    assert support_of(right).mean_weight == pytest.approx(1.187, abs=1e-3)
    assert support_of(right).weight_error == pytest.approx(4 * np.std(right / 4) / math.sqrt(300))
    assert support_of(right).refusal is None
    assert "not those the log was drawn by" in (support_of(wrong).refusal or "")


def test_good_support_is_not_refused() -> None:
    support = support_of(World(3).weights)

    assert support.refusal is None
    assert 0.01 * N < support.effective_n <= N


def test_a_policy_that_was_never_logged_has_no_self_normalised_value() -> None:
    assert math.isnan(self_normalised([1.0, 0.0], np.zeros(2)).value)


@pytest.mark.parametrize(
    ("target", "propensities", "said"),
    [
        ([0.5], [0.0], "above 0 and at most 1"),
        ([0.5], [float("nan")], "above 0 and at most 1"),
        ([1.5], [0.5], "must lie in"),
        ([0.5, 0.5], [0.5], "one length"),
        ([], [], "at least 1"),
    ],
)
def test_chances_that_are_none_are_refused(
    target: list[float], propensities: list[float], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        importance_weights(target, propensities)


def test_rewards_that_are_missing_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="2 finite numbers"):
        inverse_propensity([1.0, float("nan")], np.ones(2))


@pytest.mark.parametrize("size", [1e308, -1e308, 2e100])
def test_rewards_whose_squares_are_no_numbers_are_refused(size: float) -> None:
    with pytest.raises(InvalidInputError, match=r"within -1e\+100 to 1e\+100; found .* unit"):
        inverse_propensity([1.0, size], np.ones(2))


def test_contexts_whose_squares_are_no_numbers_are_refused() -> None:
    contexts, actions = np.array([[0.0], [-1e308]]), np.zeros(2, dtype=np.intp)
    with pytest.raises(InvalidInputError, match=r"found -1e\+308\. Give them in another unit"):
        cross_fitted(contexts, actions, np.ones(2), n_actions=1, rng=np.random.default_rng(0))


def test_chances_too_small_to_divide_by_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"none below 1e-100"):
        importance_weights([0.5, 0.5], [0.5, 5e-324])


def test_no_row_helps_to_predict_itself() -> None:
    """One row's reward, however odd, changes nothing about its own expectation."""
    world = World(4, n=60)
    odd = world.rewards.copy()
    odd[7] = 1_000.0

    def expected(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        return cross_fitted(world.contexts, world.actions, rewards, n_actions=3, rng=rng)

    before, after = expected(world.rewards), expected(odd)

    assert after[7] == pytest.approx(before[7])
    assert np.abs(after - before).max() > 1
