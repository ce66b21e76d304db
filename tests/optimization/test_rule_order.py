"""Which rules run first, and what they take: told by a mark, kept by every door, searched for."""

import itertools
from pathlib import Path

import pytest

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.optimization.rule_order import bare_name, in_order, names_in_order
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.evidence import Evidence
from ml_orchestrator.optimization.search.front import Tried, front_of
from ml_orchestrator.optimization.search.models import (
    Means,
    OptimisationReport,
    RulePlan,
    RuleScore,
    SearchSpec,
)
from ml_orchestrator.optimization.search.rubric_evidence import RubricEvidence
from ml_orchestrator.optimization.search.run import optimise
from ml_orchestrator.optimization.search.score_evidence import ScoreEvidence
from ml_orchestrator.optimization.search.space import is_allowed, refuse_bad_rules

PROMPT = "Write a nice blog post about tea and stuff. It is for the board."
AS_IS = RulePlan(rules=[])


def found(spec: SearchSpec, evidence: Evidence, folder: Path) -> OptimisationReport:
    return optimise(spec, evidence, folder).report


def test_marked_rules_run_before_the_others_and_marks_that_change_nothing_go() -> None:
    declared = [rule.name for rule in in_order(None)]
    last = declared[-1]
    assert [rule.name for rule in in_order([*declared, f">{last}"])] == [last, *declared[:-1]]
    assert names_in_order([last, f">{declared[0]}"]) == [declared[0], last]
    assert names_in_order([declared[0], f">{last}", last]) == [f">{last}", declared[0]]
    with pytest.raises(NotFoundError, match="nonsense"):
        in_order([">nonsense"])


def test_a_rule_that_runs_first_takes_the_words_that_may_be_added() -> None:
    rules = ["output_contract", "success_criteria"]
    plain = improve(PROMPT, rules, max_added_words=35)
    other = improve(PROMPT, ["output_contract", ">success_criteria"], max_added_words=35)
    assert [done.rule for done in plain.applied] == ["output_contract"]
    assert [done.rule for done in other.applied] == ["success_criteria"]


@pytest.mark.parametrize("first", [rule.name for rule in in_order(None)])
def test_in_another_order_too_a_second_time_changes_nothing(first: str) -> None:
    rules = [f">{first}", *RULES]
    once = improve(PROMPT, rules).text
    assert improve(once, rules).text == once


def test_a_search_applies_an_order_as_improve_does() -> None:
    applier = RuleApplier()
    for first, words in itertools.product(list(RULES)[::3], (None, 40)):
        plan = RulePlan(rules=names_in_order([f">{first}", *RULES]), max_added_words=words)
        wanted = improve(PROMPT, plan.rules, max_added_words=words)
        assert applier.apply(PROMPT, plan).text == wanted.text


def test_the_estimated_latency_repeats_and_grows_with_what_is_read() -> None:
    few, many = RulePlan(rules=["brevity"]), RulePlan(rules=names_in_order(RULES))
    one, other = RuleApplier(), RuleApplier()
    assert one.apply(PROMPT, many).latency_ms == other.apply(PROMPT, many).latency_ms
    assert 0 < one.apply(PROMPT, few).latency_ms < one.apply(PROMPT, many).latency_ms
    assert one.apply(PROMPT, few).latency_ms < one.apply(PROMPT * 3, few).latency_ms


def test_of_rule_sets_alike_in_all_else_the_quicker_stands_on_the_front() -> None:
    def tried(rules: list[str], latency_ms: float) -> Tried:
        means = Means(effect=0.1, tokens_added=2.0, risk=0.0, latency_ms=latency_ms)
        return Tried(RulePlan(rules=rules), means, 0.0)

    slow, quick, reordered = tried(["a"], 2.0), tried(["a", "b"], 1.0), tried([">b", "a"], 1.0)
    assert front_of([slow, reordered, quick]) == [quick]


def scores(gains: dict[str, float], latencies: dict[str, float], n: int = 60) -> list[RuleScore]:
    """Scores of .4 and a rule set's gain, but for a little that every prompt has of its own."""
    return [
        RuleScore(
            prompt=f"p{k}",
            rules=[rule for rule in name.split("+") if rule],
            score=0.4 + gain + 0.01 * (k % 7),
            latency_ms=latencies[name] + k % 5,
        )
        for k in range(n)
        for name, gain in gains.items()
    ]


def test_a_recorded_order_is_a_rule_set_of_its_own(tmp_path: Path) -> None:
    gains = {"": 0.0, "clarity+role": 0.1, ">role+clarity": 0.3}
    table = scores(gains, dict.fromkeys(gains, 100.0))
    spec = SearchSpec(level="L2", scores=table)
    report = found(spec, ScoreEvidence(table, [], AS_IS, seed=0), tmp_path)
    assert report.recommended == RulePlan(rules=[">role", "clarity"])
    assert is_allowed(SearchSpec(required=["role"]), [">role", "clarity"])
    assert not is_allowed(SearchSpec(forbidden=["role"]), [">role", "clarity"])


def test_recorded_latencies_are_weighed_and_limited(tmp_path: Path) -> None:
    gains = {"": 0.0, "role": 0.2, "examples": 0.2, "clarity": 0.1}
    took = {"": 100.0, "role": 400.0, "examples": 900.0, "clarity": 120.0}
    table = scores(gains, took, n=120)  # 48 held out: a gain of .1 takes 39
    evidence = ScoreEvidence(table, [], AS_IS, seed=0)
    report = found(SearchSpec(level="L2", scores=table), evidence, tmp_path / "all")
    assert {m.plan.name: m.search.latency_ms for m in report.front} == pytest.approx(
        {"role": 300.0, "clarity": 20.0}
    )
    assert report.front[0].held_out.milliseconds == pytest.approx(300.0)
    limited = SearchSpec(level="L2", scores=table, max_latency_ms=50.0)
    assert found(limited, evidence, tmp_path / "limited").recommended == RulePlan(rules=["clarity"])
    none = SearchSpec(level="L2", scores=table, max_latency_ms=5.0)
    with pytest.raises(InvalidInputError, match=r"max_latency_ms=5\.0 \(nearest: 20\.0\)"):
        optimise(none, evidence, tmp_path / "none")


def test_a_search_tries_the_same_rules_in_several_orders(tmp_path: Path) -> None:
    prompts = [f"{PROMPT} Edition {k} of {what}." for k in range(8) for what in ("May", "June")]
    rules = ["output_contract", "success_criteria", "constraints"]
    spec = SearchSpec(
        prompts=prompts, forbidden=[name for name in RULES if name not in rules], n_trials=40
    )
    evidence = RubricEvidence(prompts, AS_IS, seed=0)
    tried = optimise(spec, evidence, tmp_path).tried
    orders = {tuple(map(bare_name, t.plan.rules)) for t in tried if len(t.plan.rules) == 3}
    assert len(orders) > 1
    assert all(t.means.latency_ms is not None for t in tried)


def test_what_must_or_must_not_run_is_named_without_a_mark() -> None:
    with pytest.raises(InvalidInputError, match="whether a rule runs first is searched for"):
        refuse_bad_rules(SearchSpec(required=[">role"]))
