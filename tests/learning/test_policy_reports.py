"""What the log says of rules and policies: true effects are found, null worlds stay quiet."""

import numpy as np
import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.evidence import Evidence
from ml_orchestrator.learning.insights import rule_insights
from ml_orchestrator.learning.log import LoggedDecision
from ml_orchestrator.learning.models import rules_key
from ml_orchestrator.learning.policies import POLICIES, Situation
from ml_orchestrator.learning.policy_value import PolicyRows, value_of
from ml_orchestrator.learning.targets import report_on_log
from ml_orchestrator.orchestration.prompt_learning import rule_sets

KEYS = ("", "clarity", "clarity+role", "role")
GROUPS = ("code", "text")
PREFERRED = (0.35, 0.35, 0.15, 0.15)


def mean_of(key: str, group: str, *, effect: float) -> float:
    """Role helps with code and harms text; clarity does nothing; text is judged better anyway."""
    base = 0.35 if group == "code" else 0.6
    sign = 1 if group == "code" else -1
    return base + effect * sign * ("role" in key)


def world(seed: int, n: int, *, effect: float) -> list[LoggedDecision]:
    """Decisions of a policy that prefers role in the group where all is judged better anyway."""
    draws = np.random.default_rng(seed).random((n, 4))
    rows = []
    for which, choice, luck, noise in draws.tolist():
        group = GROUPS[int(which < 0.5)]
        chances = PREFERRED if group == "code" else PREFERRED[::-1]
        key = KEYS[int(np.searchsorted(np.cumsum(chances), choice))]
        reward = float(luck < mean_of(key, group, effect=effect))
        context = (float(group == "code"), noise)
        rows.append(LoggedDecision(KEYS, chances, key, context, group, reward))
    return rows


def test_a_rule_that_helps_in_one_group_and_harms_in_another_is_told_apart() -> None:
    insights = {(i.rule, i.group): i for i in rule_insights(world(11, 2_000, effect=0.2))}

    code, text = insights["role", "code"], insights["role", "text"]

    assert (code.verdict, text.verdict) == ("helps", "harms")
    assert code.low <= 0.2 <= code.high
    assert text.low <= -0.2 <= text.high
    assert insights["role", "everywhere"].verdict == "unclear"
    assert {i.verdict for (rule, _), i in insights.items() if rule == "clarity"} == {"unclear"}


def test_a_rule_that_was_used_where_all_is_judged_better_does_not_look_good_for_it() -> None:
    rows = world(2, 4_000, effect=0.0)
    role = next(i for i in rule_insights(rows) if (i.rule, i.group) == ("role", "everywhere"))

    with_role = np.mean([r.reward for r in rows if "role" in r.chosen])
    without = np.mean([r.reward for r in rows if "role" not in r.chosen])

    assert with_role - without > 0.06
    assert role.low < 0 < role.high


def test_worlds_without_effects_seldom_show_any() -> None:
    n_with_any = sum(
        any(i.verdict != "unclear" for i in rule_insights(world(seed, 400, effect=0.0)))
        for seed in range(40)
    )

    # At most a tenth of null worlds on average; 40 of them exceed 8 with a chance of 4 %.
    assert n_with_any <= 8


def test_intervals_of_insights_hold_the_truth_as_often_as_they_say() -> None:
    found = [
        insight
        for seed in range(100)
        for insight in rule_insights(world(seed, 250, effect=0.2))
        if (insight.rule, insight.group) == ("role", "code")
    ]

    covered = np.mean([insight.low <= 0.2 <= insight.high for insight in found])

    assert len(found) == 100
    assert covered > 0.86  # 95 % less four standard errors, on the side that would matter


RULES = ("brevity", "data_safety", "examples", "output_contract", "uncertainty")


def one_rule_helps(seed: int, n: int) -> list[LoggedDecision]:
    """Decisions among the sets of `prompt_select` for five rules; only examples help, by .4."""
    rng = np.random.default_rng(seed)
    keys = tuple(rules_key(rules) for rules in rule_sets(RULES))
    chances = rng.dirichlet(np.full(len(keys), 20.0), size=n)
    rows = []
    for given in chances:
        key = str(rng.choice(keys, p=given))
        reward = float(rng.random() < 0.3 + 0.4 * ("examples" in key))
        rows.append(LoggedDecision(keys, tuple(given.tolist()), key, (0.5,), "", reward))
    return rows


def test_what_one_rule_does_is_not_credited_to_the_rules_it_was_chosen_with() -> None:
    effects: dict[str, list[float]] = {rule: [] for rule in RULES}
    n_credited = 0
    for seed in range(20):
        found = rule_insights(one_rule_helps(seed, 800))
        assert [i.verdict for i in found if i.rule == "examples"] == ["helps"]
        n_credited += any(i.verdict != "unclear" for i in found if i.rule != "examples")
        for insight in found:
            effects[insight.rule].append(insight.effect)

    # False discoveries at 10 % over five rules of which one is true: a world shows any in less
    # than a quarter, and more than 9 of 20 do so with a chance below 2 %.
    assert n_credited <= 9
    # Standard error of the mean of 20: about .06 / sqrt(20) = .014.
    for rule, seen in effects.items():
        assert np.mean(seen) == pytest.approx(0.4 if rule == "examples" else 0.0, abs=0.05), rule


def test_decisions_without_a_partner_that_differs_by_the_rule_say_nothing_of_it() -> None:
    keys, chances = ("", "clarity+role"), (0.5, 0.5)
    rows = [
        LoggedDecision(keys, chances, keys[i % 2], (0.5,), "", float(i % 2)) for i in range(200)
    ]

    assert rule_insights(rows) == []


def test_a_rule_that_was_used_always_or_hardly_shows_nothing() -> None:
    always = [LoggedDecision(("role",), (1.0,), "role", (0.5,), "", 1.0)] * 100
    hardly = [
        LoggedDecision(("", "role"), (0.5, 0.5), "role" if i < 5 else "", (0.5,), "", 1.0)
        for i in range(100)
    ]

    assert rule_insights(always) == []
    assert rule_insights(hardly) == []
    assert rule_insights([]) == []


@pytest.mark.parametrize(
    ("target", "truth"),
    [
        ("role", (mean_of("role", "code", effect=0.2) + mean_of("role", "text", effect=0.2)) / 2),
        ("none", (mean_of("", "code", effect=0.2) + mean_of("", "text", effect=0.2)) / 2),
        ("uniform", 0.475),
    ],
)
def test_what_a_fixed_choice_would_have_earned_is_estimated(target: str, truth: float) -> None:
    report = report_on_log(world(3, 3_000, effect=0.2), target, kind="outcome")

    assert not report.is_refused
    assert (report.best, report.level, report.n) == ("doubly_robust", "L1", 3_000)
    for estimate in (report.estimates["snips"], report.estimates["doubly_robust"]):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= truth <= estimate.high


def test_a_learned_policy_is_judged_by_decisions_it_did_not_learn_from() -> None:
    rows = world(4, 2_000, effect=0.3)
    best = (mean_of("role", "code", effect=0.3) + mean_of("", "text", effect=0.3)) / 2

    report = report_on_log(rows, "lin_ucb", kind="outcome")

    assert report.n == 1_000
    assert report.gain is not None
    assert report.gain.low is not None
    assert report.gain.low > 0
    assert report.estimates["doubly_robust"].value == pytest.approx(best, abs=0.06)
    assert report.conclusion.startswith("The policy would have earned more")
    assert any("learned from the older 1,000" in notice for notice in report.notices)


def test_a_learned_policy_is_asked_about_with_the_floor_that_prompt_select_keeps() -> None:
    """The best of four by a straight line gets 1 - .1 + .1 / 4 of the choices, the others .025."""
    rows = world(4, 2_000, effect=0.3)

    report = report_on_log(rows, "lin_ucb", kind="outcome")

    shares = {round((0.925 if k else 0.025) / p, 9) for k in (0, 1) for p in PREFERRED}
    assert round(report.support.largest_weight, 9) in shares


def test_labels_that_were_shuffled_leave_nothing_to_gain() -> None:
    rows = world(5, 1_200, effect=0.3)
    rewards = np.random.default_rng(0).permutation([row.reward or 0.0 for row in rows])
    shuffled = [
        LoggedDecision(r.keys, r.propensities, r.chosen, r.context, r.group, float(reward))
        for r, reward in zip(rows, rewards, strict=True)
    ]

    report = report_on_log(shuffled, "thompson", kind="task")

    assert report.gain is not None
    assert report.gain.low is not None
    assert report.gain.low < 0.05
    assert report.level == "L2"


def test_a_policy_the_log_cannot_speak_for_is_refused_with_the_reason() -> None:
    rows = [
        LoggedDecision(("", "role"), (0.999, 0.001), "", (0.5,), "", float(i % 2))
        for i in range(200)
    ]

    report = report_on_log(rows, "role", kind="outcome")

    assert report.is_refused
    assert report.estimates == {}
    assert report.reason is not None
    assert "hardly ever logged" in report.reason
    assert report.support.effective_n == 0


@pytest.mark.parametrize("n", [40, 100])
def test_few_rows_of_a_policy_that_was_hardly_logged_claim_no_gain(n: int) -> None:
    """Rewards are coins whatever is done; what the policy does was logged one time in twenty."""
    rng, conclusions = np.random.default_rng(n), set()
    for _ in range(200):
        does, rewards = rng.random(n) < 0.05, (rng.random(n) < 0.5).astype(float)
        rows = PolicyRows(rewards, np.where(does, 0.05, 0.95), does.astype(float))
        report = value_of(rows, level="L1")
        conclusions.add(report.conclusion)
        assert report.is_refused
        assert report.gain is None

    assert conclusions == {"What this policy would have earned cannot be said from these rows."}


def test_rewards_too_large_to_be_squared_are_refused_and_not_reported_as_no_number() -> None:
    rows = PolicyRows(np.array([1e308, -1e308] * 40), np.full(80, 0.5), np.full(80, 0.5))

    with pytest.raises(InvalidInputError, match="another unit"):
        value_of(rows, level="L1")


def test_what_the_log_cannot_answer_is_refused_with_what_to_do() -> None:
    few = world(6, 10, effect=0.0)
    with pytest.raises(InvalidInputError, match=r"10 of 10 .* at least 20.*prompt_feedback"):
        report_on_log(few, "uniform", kind="outcome")
    with pytest.raises(InvalidInputError, match=r"'brevity' was never a candidate.*none, role"):
        report_on_log(world(6, 50, effect=0.0), "brevity", kind="outcome")


def test_every_policy_gives_each_candidate_a_chance_in_a_world_it_knows_nothing_of() -> None:
    situation = Situation(np.array([0.5, 0.5]), KEYS, Evidence(2))

    for name, policy in POLICIES.items():
        assert policy(situation) == pytest.approx([0.25] * 4, abs=2e-3), name
