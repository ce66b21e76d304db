"""Searching rule sets: what is planted is found and confirmed, and nothing else is."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.optimization.rule_order import bare_name, names_in_order
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search import applying
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.confirming import confirmed
from ml_orchestrator.optimization.search.evidence import Rows
from ml_orchestrator.optimization.search.front import Tried, front_of
from ml_orchestrator.optimization.search.models import (
    Confirmation,
    Means,
    RulePlan,
    RuleScore,
    SearchSpec,
)
from ml_orchestrator.optimization.search.outcome_evidence import OutcomeEvidence
from ml_orchestrator.optimization.search.plot import front_plot
from ml_orchestrator.optimization.search.rubric_evidence import RubricEvidence
from ml_orchestrator.optimization.search.run import Found, optimise
from ml_orchestrator.optimization.search.score_evidence import ScoreEvidence
from ml_orchestrator.optimization.search.space import refuse_bad_rules

TASKS = (
    "Could you please summarise the following text: {text}",
    "Classify this ticket as bug, question or feature: {ticket}",
    "Write a nice blog post about tea and stuff.",
    "Please fix the bug in `parse()`. It crashes sometimes.",
)
ABOUT = ("of our shop", "for the board", "from last week", "in the app")
PROMPTS = [f"{task} It is {about}." for task, about in itertools.product(TASKS, ABOUT)]
MORE = [
    *PROMPTS,
    *(f"{prompt} Answer {how}." for prompt in PROMPTS[::2] for how in ("now", "well")),
]
FEW = ["brevity", "output_contract", "constraints", "role"]
AS_IS = RulePlan(rules=[])


def spec(**changes: object) -> SearchSpec:
    others = [name for name in RULES if name not in FEW]
    given: dict[str, object] = {"prompts": PROMPTS, "forbidden": others, "n_trials": 40, "seed": 2}
    return SearchSpec.model_validate({**given, **changes})


def rubric(given: SearchSpec) -> RubricEvidence:
    baseline = RulePlan(rules=list(given.baseline))
    return RubricEvidence(given.prompts, baseline, seed=given.seed)


def plain(found: Found) -> object:
    """The report without what the clock says."""
    report = found.report.model_dump()
    for member in report["front"]:
        member["held_out"].pop("milliseconds")
    return report


def test_rules_are_applied_as_improve_applies_them() -> None:
    applier = RuleApplier()
    for prompt, words, may_ask in itertools.product(PROMPTS[::5], (None, 25), (True, False)):
        for rules in (FEW, list(RULES)):
            wanted = improve(prompt, rules, max_added_words=words, may_ask=may_ask)
            plan = RulePlan(rules=rules, max_added_words=words, may_ask=may_ask)
            found = applier.apply(prompt, plan)
            assert (found.text, found.score) == (wanted.text, wanted.score_after)


def test_what_is_remembered_is_bounded_by_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MOST_REMEMBERED", 2_000)
    applier = RuleApplier()
    for prompt in PROMPTS:
        plan = RulePlan(rules=FEW)
        assert applier.apply(prompt, plan) == RuleApplier().apply(prompt, plan)
        texts = [text for _, text in applier._steps] + list(applier._scores)
        assert sum(map(len, texts)) <= 2_000
    assert applier._steps


def test_the_search_finds_the_front_that_trying_everything_finds(tmp_path: Path) -> None:
    given = spec(prompts=MORE)
    evidence = rubric(given)
    orders = {
        tuple(names_in_order(how + name for how, name in zip(hows, FEW, strict=True) if how != "-"))
        for hows in itertools.product(("-", "", ">"), repeat=len(FEW))
    }
    every = [
        RulePlan(rules=list(rules), max_added_words=words, may_ask=may_ask)
        for rules in orders
        for words in (None, 25, 75, 150)
        for may_ask in (True, False)
    ]
    whole = front_of([Tried(plan, evidence.look(plan), 0.0) for plan in every])
    found = optimise(given, evidence, tmp_path)
    best, wanted = found.report.front[0], whole[0]
    assert best.search.effect == pytest.approx(wanted.means.effect)
    assert 0.05 < best.held_out.gain < 0.2
    assert found.report.recommended is None  # so small a gain takes more than 13 held out
    assert all(m.held_out.n == 13 for m in found.report.front)
    assert front_plot(found.report, found.tried).startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_report_and_a_killed_search_goes_on(tmp_path: Path) -> None:
    given = spec(n_trials=24)
    whole = optimise(given, rubric(given), tmp_path / "whole")
    calls = iter(range(100))
    part = optimise(given, rubric(given), tmp_path / "part", is_stopped=lambda: next(calls) >= 9)
    assert (part.report.n_trials, part.report.stopped_by) == (10, "stopped")
    trials = tmp_path / "part" / "rule_trials.jsonl"
    trials.write_bytes(trials.read_bytes()[:-7])  # killed while it wrote
    assert plain(optimise(given, rubric(given), tmp_path / "part")) == plain(whole)
    with pytest.raises(ConflictError, match="another question"):
        optimise(spec(seed=3), rubric(spec(seed=3)), tmp_path / "part")


def test_limits_and_wanted_rules_are_kept(tmp_path: Path) -> None:
    given = spec(required=["role"], max_tokens_added=12.0)
    for member in optimise(given, rubric(given), tmp_path).report.front:
        assert "role" in map(bare_name, member.plan.rules)
        assert member.search.tokens_added is not None
        assert member.search.tokens_added <= 12
    tight = spec(required=["output_contract"], max_tokens_added=0.0)
    with pytest.raises(InvalidInputError, match=r"none keeps to max_tokens_added=0\.0"):
        optimise(tight, rubric(tight), tmp_path / "tight")


def test_rules_that_are_required_or_compared_with_and_change_nothing_are_told(
    tmp_path: Path,
) -> None:
    given = spec(
        prompts=[f"Translate {{text}} {about}, no. {n}." for n in range(3) for about in ABOUT],
        required=["role", "output_contract"],
        baseline=["brevity"],
        n_trials=8,
    )

    report = optimise(given, rubric(given), tmp_path).report

    said = "As they stand it changes none of the 12 prompts."
    assert report.idle == {"brevity": said, "role": said}
    assert any("output_contract" in map(bare_name, each.plan.rules) for each in report.front)


def test_a_budget_that_is_too_small_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    given = spec(budget=85)
    with pytest.raises(InvalidInputError, match="at least 86 are needed, 8 trials on 10"):
        optimise(given, rubric(given), tmp_path)
    enough = spec(budget=86)
    report = optimise(enough, rubric(enough), tmp_path).report
    assert report.stopped_by == "budget"
    assert report.n_evaluations <= 86


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"required": ["role"], "forbidden": ["role"]}, "Required and forbidden at once: role"),
        ({"required": ["decomposition", "step_by_step"], "forbidden": []}, "conflict"),
        ({"forbidden": list(RULES)}, "Every rule is forbidden"),
    ],
)
def test_rules_that_cannot_be_had_together_are_refused(
    changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        refuse_bad_rules(spec(**changes))
    with pytest.raises(NotFoundError, match="nonsense"):
        refuse_bad_rules(spec(required=["nonsense"]))


def test_prompts_that_are_few_or_the_same_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="so 12 or more"):
        RubricEvidence(PROMPTS[:11], AS_IS, seed=0)
    with pytest.raises(InvalidInputError, match="different from each other"):
        RubricEvidence([*PROMPTS, PROMPTS[0]], AS_IS, seed=0)


def scores(seed: int, gains: dict[str, float], n: int = 60) -> list[RuleScore]:
    """Coins of each prompt under each rule set: .5, and more where something is planted."""
    rng = np.random.default_rng(seed)
    return [
        RuleScore(prompt=f"p{k}", rules=[r for r in name.split("+") if r], score=float(coin))
        for k in range(n)
        for name, gain in {"": 0.0, **gains}.items()
        for coin in [rng.random() < 0.5 + gain]
    ]


def test_a_planted_best_rule_set_is_found_in_recorded_scores(tmp_path: Path) -> None:
    table = scores(1, {"role": 0.0, "clarity+role": 0.45, "brevity": 0.05})
    given = SearchSpec(level="L2", scores=table, seed=4)
    found = optimise(given, ScoreEvidence(table, [], AS_IS, seed=4), tmp_path)
    report = found.report
    assert (report.level, report.stopped_by) == ("L2", "all tried")
    assert report.recommended == RulePlan(rules=["clarity", "role"])
    assert [m.plan.rules for m in report.front] == [["clarity", "role"]]
    assert report.front[0].search.tokens_added is None


def test_shuffled_scores_confirm_nothing(tmp_path: Path) -> None:
    confirmed = 0
    for seed in range(20):
        table = scores(seed, {"role": 0.0, "clarity": 0.0, "brevity": 0.0, "clarity+role": 0.0})
        given = SearchSpec(level="L2", scores=table, seed=seed)
        evidence = ScoreEvidence(table, PROMPTS[:2], AS_IS, seed=seed)
        confirmed += optimise(given, evidence, tmp_path / str(seed)).report.recommended is not None
    assert confirmed <= 3  # at a chance of 5% or less, more than 3 of 20 happen in 1.6% of all runs


@pytest.mark.parametrize("n", [12, 25, 50])
def test_a_rule_set_that_gains_a_little_often_and_loses_much_seldom_is_not_confirmed(
    tmp_path: Path, n: int
) -> None:
    confirmed = 0
    for seed in range(20):
        won = np.random.default_rng(seed).random(n) < 0.9  # +.1, else -.9: 0 in the mean
        table = [
            RuleScore(prompt=f"p{k}", rules=rules, score=score)
            for k in range(n)
            for rules, score in (([], 0.9), (["role"], 1.0 if won[k] else 0.0))
        ]
        given = SearchSpec(level="L2", scores=table, seed=seed)
        evidence = ScoreEvidence(table, [], AS_IS, seed=seed)
        confirmed += optimise(given, evidence, tmp_path / str(seed)).report.recommended is not None
    assert confirmed <= 3  # as above


def held_out_of(table: list[RuleScore], seed: int) -> list[Confirmation]:
    evidence = ScoreEvidence(table, [], AS_IS, seed=seed)
    front = [Tried(plan, evidence.look(plan), 0.0) for plan in evidence.plans]
    return [member.held_out for member in confirmed(front, evidence)]


def test_a_p_value_is_below_a_twentieth_where_the_interval_is_above_nothing() -> None:
    seen = set()
    for seed in range(12):
        gains = {"role": 0.3, "clarity": 0.3, "brevity": 0.3}
        few = dict(list(gains.items())[: 1 + seed % 3])
        for held_out in held_out_of(scores(seed, few), seed):
            assert held_out.is_confirmed == (held_out.low > 0) == (held_out.p_adjusted < 0.05)
            seen.add(held_out.is_confirmed)

    assert seen == {True, False}


def test_five_wins_of_five_held_out_are_no_small_p_value_beside_an_interval_with_nothing() -> None:
    table = [
        RuleScore(prompt=f"p{k}", rules=rules, score=score)
        for k in range(13)
        for rules, score in (([], 0.0), (["role"], 1.0))
    ]

    (held_out,) = held_out_of(table, 0)

    assert (held_out.n, held_out.is_confirmed) == (5, False)
    assert held_out.p_adjusted == pytest.approx(2 * 0.5**5)
    assert held_out.low == pytest.approx(2 * 0.025**0.2 - 1)  # Clopper and Pearson: -.043


def logged(seed: int, rates: dict[str, float], n: int = 1_200) -> Rows:
    """Decisions at random between rule sets, one of which is chosen half of the time."""
    rng = np.random.default_rng(seed)
    names = list(rates)
    chances = np.array([0.5, *[0.5 / (len(names) - 1)] * (len(names) - 1)])
    chosen = rng.choice(len(names), size=n, p=chances)
    return Rows(
        offered=[frozenset(names)] * n,
        chosen=[names[k] for k in chosen],
        propensity=[float(chances[k]) for k in chosen],
        reward=[float(rng.random() < rates[names[k]]) for k in chosen],
    )


def test_a_planted_best_rule_set_is_found_in_logged_outcomes(tmp_path: Path) -> None:
    rows = logged(3, {"": 0.5, "role": 0.5, "clarity+role": 0.8})
    given = SearchSpec(level="L1", seed=1)
    report = optimise(given, OutcomeEvidence(rows, [], seed=1), tmp_path).report
    assert report.recommended == RulePlan(rules=["clarity", "role"])
    held_out = report.front[0].held_out
    # Always choosing it earns .8; the log earned .5 * .5 + .25 * .5 + .25 * .8 = .575.
    assert held_out.low < 0.225 < held_out.high


def test_outcomes_that_do_not_depend_on_the_rules_confirm_nothing(tmp_path: Path) -> None:
    confirmed = 0
    for seed in range(20):
        evidence = OutcomeEvidence(
            logged(seed, {"": 0.5, "role": 0.5, "clarity": 0.5}), [], seed=seed
        )
        given = SearchSpec(level="L1", seed=seed)
        confirmed += optimise(given, evidence, tmp_path / str(seed)).report.recommended is not None
    assert confirmed <= 3  # as above


def test_rule_sets_that_a_log_cannot_speak_for_are_refused_with_the_reason() -> None:
    rows = logged(1, {"": 0.5, "role": 0.5, "clarity": 0.5}, n=600)
    some = [frozenset({"", "role"} if k % 10 else {"", "role", "clarity"}) for k in range(600)]
    chosen = [c if c in o else "" for c, o in zip(rows.chosen, some, strict=True)]
    evidence = OutcomeEvidence(Rows(some, chosen, rows.propensity, rows.reward), [], seed=0)
    assert "50 are needed" in evidence.refused["clarity"]


def test_a_rule_set_must_count_for_thirty_of_the_held_out_decisions_alone() -> None:
    """One in eight of 400 is about 50 decisions of a rule set, of which 20 are held out."""
    rates = dict.fromkeys(("", "role", "clarity", "brevity", "examples"), 0.5)
    evidence = OutcomeEvidence(logged(1, rates, n=400), [], seed=0)
    assert [plan.rules for plan in evidence.plans] == [[]]
    assert "Held-out decisions count for" in evidence.refused["role"]
    assert "30 are needed" in evidence.refused["role"]


def test_forty_decisions_that_all_succeeded_confirm_no_gain_over_a_log_that_mostly_did() -> None:
    """Always successful at a true rate of .95 is what 40 decisions are in 13 % of all logs."""
    rates = {"": 0.95, "role": 1.0, "clarity": 0.95, "brevity": 0.95}
    evidence = OutcomeEvidence(logged(3, rates, n=600), [], seed=0)

    gain = evidence.confirm(RulePlan(rules=["role"]), alpha=0.05)

    assert gain.mean > 0.02
    assert gain.low < 0 < gain.high
    assert gain.p_value > 0.025


def test_of_equal_rule_sets_the_one_of_fewer_rules_stands_for_all() -> None:
    means = Means(effect=0.1, tokens_added=2.0, risk=0.0)
    worse = Means(effect=0.1, tokens_added=3.0, risk=0.0)
    tried = [
        Tried(RulePlan(rules=["a", "b"]), means, 0.0),
        Tried(RulePlan(rules=["b"]), means, 0.0),
        Tried(RulePlan(rules=["c"]), worse, 0.0),
        Tried(RulePlan(rules=[]), Means(effect=0.9, tokens_added=0.0, risk=0.0), 1.0),
    ]
    assert [t.plan.rules for t in front_of(tried)] == [["b"]]
