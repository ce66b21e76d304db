"""Propensities held against the rows of each action: wrong ones are found, right ones pass."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.numerics.off_policy import importance_weights, support_of
from ml_orchestrator.numerics.propensities import contradiction_in


def drawn(rng: np.random.Generator, chances: NDArray[np.float64]) -> NDArray[np.intp]:
    draws = rng.random((len(chances), 1))
    passed = (chances.cumsum(axis=1) < draws).sum(axis=1)
    return np.asarray(np.minimum(passed, chances.shape[1] - 1))


@pytest.mark.parametrize(("n", "n_actions", "floor"), [(300, 2, 0.05), (600, 4, 0.1), (900, 12, 1)])
def test_right_propensities_are_called_wrong_in_hardly_any_log(
    n: int, n_actions: int, floor: float
) -> None:
    """Small propensities are seen by chance only, and their squares with them."""
    n_called = 0
    for seed in range(300):
        rng = np.random.default_rng([seed, n])
        steep = np.exp(2 * rng.normal(size=(n, n_actions)))
        chances = floor / n_actions + (1 - floor) * steep / steep.sum(axis=1, keepdims=True)
        actions = drawn(rng, chances)
        target = rng.dirichlet(np.ones(n_actions), size=n)
        n_called += contradiction_in(actions, chances[np.arange(n), actions], target) is not None

    assert n_called <= 1  # at .001 more than 1 of 300 happens in 3.7 % of all runs


def test_an_action_that_some_rows_cannot_take_contradicts_nothing() -> None:
    rng = np.random.default_rng(0)
    chances = np.where(rng.random((2_000, 1)) < 0.5, [[0.5, 0.5, 0.0]], [[0.2, 0.2, 0.6]])
    actions = drawn(rng, chances)

    taken = chances[np.arange(2_000), actions]

    assert contradiction_in(actions, taken) is None
    assert contradiction_in(actions, taken, chances) is None


def test_propensities_that_are_wrong_in_the_mean_weight_of_no_action_are_found() -> None:
    """Drawn by .3 and .7 and logged as a half: one of both cancels the other in the mean weight."""
    rng = np.random.default_rng(1)
    chances, halves = np.tile([0.3, 0.7], (1_000, 1)), np.full(1_000, 0.5)
    actions = drawn(rng, chances)
    target = np.full((1_000, 2), 0.5)

    found = contradiction_in(actions, halves, target)

    assert support_of(importance_weights(halves, halves)).refusal is None
    assert found is not None
    seen = 2 * np.mean(actions == found.action)
    assert found.ratio == pytest.approx(seen)
    assert 0.1 <= found.allowed < 0.2


def test_propensities_that_are_wrong_by_context_are_found_where_the_policy_looks_at_it() -> None:
    """Drawn by .1 where x is low and .9 where it is high: a half of all rows, as logged."""
    rng = np.random.default_rng(2)
    is_high = rng.random((1_000, 1)) < 0.5
    actions = drawn(rng, np.where(is_high, [[0.1, 0.9]], [[0.9, 0.1]]))
    target, halves = np.where(is_high, [[0.1, 0.9]], [[0.9, 0.1]]), np.full(1_000, 0.5)

    assert contradiction_in(actions, halves) is None
    found = contradiction_in(actions, halves, target)

    assert found is not None
    assert found.ratio == pytest.approx(1.8, abs=0.1)


def test_a_log_whose_rows_all_took_another_action_is_not_judged() -> None:
    n = 200_000  # a table of rows by actions would take 40 GB

    assert contradiction_in(np.arange(n), np.full(n, 0.5)) is None


def test_actions_of_few_rows_are_not_judged() -> None:
    actions, halves = np.repeat([0, 1], [29, 2]), np.full(31, 0.5)

    assert contradiction_in(actions, halves) is None
    assert contradiction_in(np.repeat([0, 1], [90, 2]), np.full(92, 0.5)) is not None
