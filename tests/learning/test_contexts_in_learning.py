"""Contexts are used where they pay: more is earned held out, and nothing is made up of noise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from ml_orchestrator.learning.bandwidth import likeness
from ml_orchestrator.learning.evidence import Evidence, Judged
from ml_orchestrator.learning.selection import select
from ml_orchestrator.learning.targets import LEARNED

RULES = [f"rule-{i}" for i in range(4)]
EFFECT = np.array([0.35, -0.35, 0.25, -0.25])
N_FEATURES = 6


def means_at(context: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each rule earns: the third feature alone says which ones help."""
    return 0.5 + EFFECT * (1 if context[2] > 0.5 else -1)


def logged(seed: int, n: int, *, uses_context: bool, is_null: bool = False) -> Evidence:
    """Rewards of rules drawn at random, as a log of exploration holds them."""
    rng = np.random.default_rng(seed)
    evidence = Evidence(N_FEATURES if uses_context else 1)
    rows = []
    for i in range(n):
        context, rule = rng.random(N_FEATURES), int(rng.integers(4))
        mean = 0.5 if is_null else means_at(context)[rule]
        seen = tuple(context) if uses_context else (0.0,)
        rows.append(Judged(i, seen, RULES[rule], float(rng.random() < mean), 0.25))
    evidence.add(rows)
    return evidence


def earned(evidence: Evidence, policy: str, *, uses_context: bool) -> float:
    """The true mean reward of choices in 200 contexts that nothing was learned from."""
    rng = np.random.default_rng(99)
    total = 0.0
    for context in rng.random((200, N_FEATURES)):
        seen = context if uses_context else np.zeros(1)
        choice = select(seen, RULES, evidence, policy=policy, floor=0.1, rng=rng)
        total += float(np.asarray(choice.chances) @ means_at(context))
    return total / 200


@pytest.mark.parametrize("policy", LEARNED)
def test_learning_with_contexts_earns_more_on_held_out_contexts_than_without(policy: str) -> None:
    aware = earned(logged(1, 600, uses_context=True), policy, uses_context=True)
    blind = earned(logged(1, 600, uses_context=False), policy, uses_context=False)

    # Without contexts every rule earns .5; the best choice in each, with the floor, earns .815.
    assert blind == pytest.approx(0.5, abs=0.03)
    assert aware > 0.68


def test_the_feature_that_matters_is_found_and_the_others_are_left_out() -> None:
    found = logged(2, 600, uses_context=True).bandwidths

    assert np.isfinite(found).tolist() == [False, False, True, False, False, False]


def test_contexts_that_say_nothing_are_mostly_left_out() -> None:
    n_used = sum(
        bool(np.isfinite(logged(s, 200, uses_context=True, is_null=True).bandwidths).any())
        for s in range(10)
    )

    assert n_used <= 3


def test_a_rule_nobody_tried_here_starts_from_what_it_earned_in_similar_contexts() -> None:
    evidence = Evidence(1)
    rng = np.random.default_rng(3)
    rows = []
    for i, context in enumerate(rng.random(256)):
        rule = int(rng.integers(2))
        rows.append(Judged(i, (context,), RULES[rule], float(rule == (context > 0.5)), 0.5))
    evidence.add(rows)

    def chances(context: float) -> tuple[float, ...]:
        given = {"policy": "thompson", "floor": 0.0, "rng": rng}
        return select(np.array([context]), RULES[:2], evidence, **given).chances  # type: ignore[arg-type]

    assert chances(0.111)[0] > 0.95
    assert chances(0.888)[1] > 0.95


@pytest.mark.parametrize("policy", LEARNED)
def test_old_rewards_fade_so_that_a_rule_which_changed_is_noticed(policy: str) -> None:
    evidence, rng = Evidence(1), np.random.default_rng(4)
    for i in range(4_000):
        is_late, rule = i >= 2_500, i % 2
        is_good = (rule == 1) if is_late else (rule == 0)
        evidence.add([Judged(i, (0.5,), RULES[rule], float(is_good), 0.5)])

    choice = select(np.array([0.5]), RULES[:2], evidence, policy=policy, floor=0.0, rng=rng)

    assert sum(float(r) for r in evidence.rewards[evidence.rows_of(RULES[0])]) == 1_250
    assert choice.chances[1] > (0.94 if policy == "epsilon_greedy" else 0.99)


@pytest.mark.parametrize("policy", LEARNED)
def test_most_choices_are_the_best_rule_once_it_is_known(policy: str) -> None:
    evidence, rng, means = Evidence(1), np.random.default_rng(8), (0.2, 0.35, 0.6)
    chosen = []
    for t in range(800):
        choice = select(np.zeros(1), RULES[:3], evidence, policy=policy, floor=0.0, rng=rng)
        reward = float(rng.random() < means[choice.index])
        chance = choice.chances[choice.index]
        evidence.add([Judged(t, (0.0,), RULES[choice.index], reward, chance)])
        chosen.append(choice.index)

    assert np.mean(np.array(chosen[400:]) == 2) > 0.8


def test_what_is_known_depends_on_the_rows_alone_and_not_on_how_they_came() -> None:
    rng = np.random.default_rng(5)
    rows = [
        Judged(i, tuple(rng.random(2)), RULES[i % 3], float(rng.random()), 0.5) for i in range(300)
    ]
    at_once, one_by_one = Evidence(2), Evidence(2)
    at_once.add(rows)
    for row in rows:
        one_by_one.add([row])

    for name in RULES:
        context = np.array([0.3, 0.6])
        linear = [e.linear_reward(name, context, alpha=0.3) for e in (at_once, one_by_one)]
        assert linear[0] == linear[1]
        assert at_once.rows_of(name).tolist() == one_by_one.rows_of(name).tolist()
    assert at_once.bandwidths.tolist() == one_by_one.bandwidths.tolist()


def test_likeness_is_one_for_the_same_and_falls_with_distance() -> None:
    contexts = np.array([[0.5, 0.1], [0.5, 0.9], [0.9, 0.1]])

    found = likeness(contexts, np.array([0.5, 0.1]), np.array([0.2, np.inf]))

    assert found == pytest.approx([1.0, 1.0, np.exp(-2.0)])


def test_logged_digits_teach_a_policy_that_reads_digits_it_never_saw() -> None:
    """Ten rules, one right for each digit; logged at random, with chance .1 each."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(6)
    order = rng.permutation(len(y))
    train, test = order[:1_200], order[1_200:1_400]
    parts = PCA(12, random_state=0).fit(x[train]).transform(x)
    low, high = parts[train].min(axis=0), parts[train].max(axis=0)
    contexts = np.clip((parts - low) / (high - low), 0, 1)
    names = [f"digit-{d}" for d in range(10)]

    def share_right(*, uses_context: bool) -> float:
        seen = contexts if uses_context else np.zeros((len(y), 1))
        evidence, draws = Evidence(seen.shape[1]), np.random.default_rng(7)
        rows = []
        for i in train:
            rule = int(draws.integers(10))
            rows.append(Judged(int(i), tuple(seen[i]), names[rule], float(rule == y[i]), 0.1))
        evidence.add(rows)
        right = 0.0
        for i in test:
            choice = select(seen[i], names, evidence, policy="lin_ucb", floor=0.0, rng=draws)
            right += choice.chances[int(y[i])]
        return right / len(test)

    assert share_right(uses_context=True) > 0.55 > share_right(uses_context=False) + 0.3
