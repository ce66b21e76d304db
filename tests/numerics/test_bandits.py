"""Bandits choose by published rules, follow what changes, and know the chance of each choice."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import rel_entr
from scipy.stats import beta

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.bandits.floor import draw, with_floor
from ml_orchestrator.numerics.bandits.kl_ucb import upper_means
from ml_orchestrator.numerics.bandits.lin_ucb import LinUcb
from ml_orchestrator.numerics.bandits.ridge import FadingRidge
from ml_orchestrator.numerics.bandits.thompson import BetaThompson, chances_of_best

MEANS = np.array([0.2, 0.35, 0.6])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 1, 1], [1, 1, 1]),
        ([0.5, 3, 2], [0.5, 4, 1]),
        ([5, 50, 500], [5, 45, 480]),
        ([2, 40_000, 40_200], [1, 40_000, 39_900]),
        ([0.05, 0.2], [0.05, 2.0]),
        ([1, 300], [300, 1]),
    ],
)
def test_chances_of_best_equal_a_mean_over_quantiles(a: list[float], b: list[float]) -> None:
    shares = (np.arange(20_000) + 0.5) / 20_000

    def chance(arm: int) -> float:
        x = beta.ppf(shares, a[arm], b[arm])
        others = [beta.cdf(x, a[i], b[i]) for i in range(len(a)) if i != arm]
        return float(np.prod(others, axis=0).mean())

    found = chances_of_best(a, b)

    assert found.sum() == pytest.approx(1)
    assert found == pytest.approx([chance(arm) for arm in range(len(a))], abs=1e-3)


def test_a_choice_of_thompson_sampling_comes_with_the_chance_it_names() -> None:
    policy, rng = BetaThompson(3), np.random.default_rng(0)
    for arm, reward in [(0, 1.0), (0, 0.0), (1, 1.0), (2, 0.4)]:
        policy.update(arm, reward)

    chosen = np.bincount([policy.choose(rng) for _ in range(20_000)], minlength=3) / 20_000

    assert chosen == pytest.approx(policy.chances(), abs=0.015)  # four standard errors of .0035


def test_upper_means_solve_the_equation_of_kl_ucb() -> None:
    sums, n = np.array([3.0, 20.0, 0.0, 5.0]), np.array([10.0, 30.0, 4.0, 5.0])

    def by_root(mean: float, tried: float) -> float:
        budget = np.log(n.sum()) / tried
        gap = lambda q: rel_entr(mean, q) + rel_entr(1 - mean, 1 - q) - budget  # noqa: E731
        return 1.0 if mean == 1 else float(brentq(gap, mean, 1 - 1e-15))

    expected = [by_root(s / k, k) for s, k in zip(sums, n, strict=True)]

    assert upper_means(sums, n) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_most_choices_are_the_best_arm_once_it_is_known(seed: int) -> None:
    policy, rng = BetaThompson(3), np.random.default_rng(seed)

    chosen = [_round(policy, MEANS, rng) for _ in range(1_500)]

    assert np.mean(np.array(chosen[750:]) == 2) > 0.85


def test_only_beliefs_that_fade_follow_arms_that_change() -> None:
    def share_of_the_new_best(discount: float) -> float:
        policy, rng = BetaThompson(3, discount=discount), np.random.default_rng(7)
        for _ in range(1_200):
            _round(policy, MEANS, rng)
        chosen = [_round(policy, MEANS[::-1], rng) for _ in range(500)]
        return float(np.mean(np.array(chosen) == 0))

    assert share_of_the_new_best(0.98) > 0.5
    assert share_of_the_new_best(1.0) < 0.3


def _round(policy: BetaThompson, means: NDArray[np.float64], rng: np.random.Generator) -> int:
    arm = policy.choose(rng)
    policy.update(arm, float(rng.random() < means[arm]))
    return arm


def test_lin_ucb_scores_as_an_ordinary_ridge_regression_would() -> None:
    rng = np.random.default_rng(2)
    policy, x = LinUcb(2, 4, alpha=0.7, penalty=2.0), rng.random((60, 4))
    y, arms = rng.random(60), rng.integers(0, 2, 60)
    for arm, context, reward in zip(arms, x, y, strict=True):
        policy.update(int(arm), context, float(reward))
    asked = rng.random(4)

    def by_hand(arm: int) -> float:
        own = x[arms == arm]
        gram = own.T @ own + 2.0 * np.eye(4)
        theta = np.linalg.solve(gram, own.T @ y[arms == arm])
        return float(asked @ theta + 0.7 * np.sqrt(asked @ np.linalg.solve(gram, asked)))

    assert policy.scores(asked) == pytest.approx([by_hand(0), by_hand(1)], rel=1e-9)
    assert policy.choose(asked) == int(by_hand(1) > by_hand(0))


def test_a_fading_ridge_scores_as_a_weighted_one_does() -> None:
    rng = np.random.default_rng(6)
    arm, x, y = FadingRidge(3, discount=0.9, penalty=2.0), rng.random((30, 3)), rng.random(30)
    steps = np.sort(rng.integers(0, 50, 30))
    for at, context, reward in zip(steps, x, y, strict=True):
        arm.update(int(at), context, float(reward))
    asked, weights = rng.random(3), 0.9 ** (60.0 - steps)

    gram = x.T @ (weights[:, None] * x) + 2.0 * np.eye(3)
    mean = asked @ np.linalg.solve(gram, x.T @ (weights * y))
    width = np.sqrt(asked @ np.linalg.solve(gram, asked))

    assert arm.upper_mean(60, asked) == pytest.approx(mean)
    assert arm.upper_mean(60, asked, alpha=0.7) == pytest.approx(mean + 0.7 * width)


def test_no_arm_falls_below_its_share_of_the_floor_and_draws_keep_to_the_chances() -> None:
    chances, rng = with_floor([0.0, 3.0, 1.0], 0.3), np.random.default_rng(4)

    drawn = np.bincount([draw(chances, rng) for _ in range(20_000)], minlength=3) / 20_000

    assert chances == pytest.approx([0.1, 0.625, 0.275])
    assert drawn == pytest.approx(chances, abs=0.015)


def test_an_arm_without_a_chance_is_never_drawn() -> None:
    rng = np.random.default_rng(5)

    assert {draw(np.array([0.0, 1.0, 0.0]), rng) for _ in range(500)} == {1}


SENSELESS: dict[str, Callable[[], object]] = {
    "no chance at all": lambda: with_floor([0.0, 0.0], 0.1),
    "a chance below 0": lambda: with_floor([1.0, -0.1], 0.1),
    "a floor above 1": lambda: with_floor([1.0], 1.1),
    "no arm": lambda: BetaThompson(0),
    "a discount of 0": lambda: BetaThompson(2, discount=0.0),
    "a reward above 1": lambda: BetaThompson(2).update(0, 1.5),
    "a missing reward": lambda: BetaThompson(2).update(0, float("nan")),
    "a reward below 0": lambda: BetaThompson(2).update(0, -0.5),
    "a discount above 1": lambda: BetaThompson(2, discount=1.5),
    "no penalty": lambda: LinUcb(2, 3, penalty=0.0),
    "a discount that grows": lambda: FadingRidge(3, discount=1.1),
    "alpha below 0": lambda: LinUcb(2, 3, alpha=-1.0),
    "a parameter of 0": lambda: chances_of_best([1.0], [0.0]),
    "two lengths": lambda: chances_of_best([1.0, 2.0], [1.0]),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        SENSELESS[name]()
