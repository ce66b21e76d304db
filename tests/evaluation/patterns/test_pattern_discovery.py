"""Patterns are found where they were planted, and nowhere else."""

import numpy as np
import pytest
from tests.evaluation.patterns.planting import chances_to_outcome, coins

from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.models import Effect, PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.evaluation.patterns.words import pattern_sentence

SPEC = PatternSpec("won")


def confirmed(report: PatternReport) -> dict[str, str]:
    return {p.pattern: p.status for p in report.patterns if p.status != "selected"}


def test_planted_features_and_sets_are_found_with_their_effects() -> None:
    rng = np.random.default_rng(1)
    table = coins(rng, 12_000)
    pair = table["f1"] * table["f2"]
    triple = table["f3"] * table["f4"] * table["f5"]
    chances = 0.4 + 0.15 * table["f0"] + 0.2 * pair - 0.3 * triple
    table["won"] = chances_to_outcome(rng, chances)

    report = discover_patterns(table, SPEC)

    assert confirmed(report) == dict.fromkeys(("f0", "f1 & f2", "f3 & f4 & f5"), "replicated")
    planted = {"f0": 0.15, "f1 & f2": 0.2, "f3 & f4 & f5": -0.3}
    for pattern in report.patterns:
        if pattern.pattern in planted:
            for measured in (pattern.tested, pattern.replication):
                assert measured is not None
                assert measured.low < planted[pattern.pattern] < measured.high
    assert report.level == "L1"
    assert report.n_parts == (7_200, 2_400, 2_400)
    assert report.replication_low == pytest.approx(0.4385, abs=1e-4)  # Wilson, 3 of 3
    assert "only an experiment shows" in report.summary


def test_a_summary_says_what_an_effect_is_conditional_on() -> None:
    """Either of two features helps by .3, both do not: the set takes .6 from the sum of both."""
    rng = np.random.default_rng(5)
    table = coins(rng, 6_000)
    one, other = table["f0"], table["f1"]
    table["won"] = chances_to_outcome(rng, 0.35 + 0.3 * (one + other - 2 * one * other))
    spec = PatternSpec("won", features=["f0", "f1", "f2"], with_clusters=False)

    report = discover_patterns(table, spec)

    told = {p.pattern: p for p in report.patterns if p.status == "replicated"}
    assert set(told) == {"f0", "f1", "f0 & f1"}
    pair = told["f0 & f1"].replication
    assert pair is not None
    assert pair.low < -0.6 < pair.high
    assert ", with 'f0' and 'f1' held as they are, on untouched" in told["f0 & f1"].summary
    assert ", with 'f0 & f1' and 'f1' held as they are, on untouched" in told["f0"].summary


def test_the_effect_of_a_pattern_alone_is_conditional_on_nothing() -> None:
    rng = np.random.default_rng(4)
    table = coins(rng, 4_000)
    table["won"] = chances_to_outcome(rng, 0.35 + 0.3 * table["f0"])

    (only,) = discover_patterns(table, SPEC).patterns

    assert only.summary.startswith("f0: +")
    assert "held as" not in only.summary


def test_many_other_patterns_are_counted_and_not_all_named() -> None:
    effect = Effect(effect=0.1, low=0.05, high=0.15, p_value=0.001)

    def told(*held: str) -> str:
        return pattern_sentence("a", "replicated", effect, effect, is_binary=False, held=held)

    shown = "a: +0.1, +0.05 to +0.15"
    assert told() == f"{shown} on untouched cases; replicated."
    assert told("b").startswith(f"{shown}, with 'b' held as it is, on untouched")
    assert ", with 'b', 'c', 'd' and another pattern held as they are," in told(*"bcde")
    assert ", with 'b', 'c', 'd' and 3 other patterns held as they are," in told(*"bcdefg")


def test_shuffled_outcomes_have_no_patterns() -> None:
    rng = np.random.default_rng(2)
    table = coins(rng, 6_000)
    outcome = chances_to_outcome(rng, 0.3 + 0.4 * table["f0"])
    assert "f0" in confirmed(discover_patterns(table | {"won": outcome}, SPEC))
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(outcome)
        report = discover_patterns(table | {"won": shuffled}, SPEC)
        assert confirmed(report) == {}
        assert report.summary.startswith("No pattern holds")
        assert report.replication_share is None


def test_worlds_without_patterns_seldom_show_any() -> None:
    n_any = 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        table = coins(rng, 1_000, 12)
        table["won"] = rng.normal(size=1_000) ** 3  # heavy tails
        n_any += bool(confirmed(discover_patterns(table, SPEC)))
    assert n_any <= 2  # nominal 10 %; the seeds are fixed


def test_of_two_features_that_go_together_the_other_is_named_as_stand_in() -> None:
    rng = np.random.default_rng(4)
    table = coins(rng, 4_000, 4)
    flipped = rng.random(4_000) < 0.01
    table["twin"] = np.where(flipped, 1 - table["f0"], table["f0"])
    table["won"] = chances_to_outcome(rng, 0.35 + 0.25 * table["f0"])

    (found,) = [p for p in discover_patterns(table, SPEC).patterns if p.status == "replicated"]

    assert found.pattern in {"f0", "twin"}
    (other,) = {"f0", "twin"} - {found.pattern}
    named = {s.pattern: s.correlation for s in found.stand_ins}
    assert named[other] == pytest.approx(0.98, abs=0.01)


def test_an_effect_that_others_explain_is_not_credited() -> None:
    rng = np.random.default_rng(5)
    table = coins(rng, 8_000, 4)
    table["follower"] = np.where(rng.random(8_000) < 0.7, table["f0"], table["f1"])
    table["won"] = chances_to_outcome(rng, 0.35 + 0.3 * table["f0"])
    assert set(confirmed(discover_patterns(table, SPEC))) == {"f0"}


def test_orders_of_events_are_found() -> None:
    rng = np.random.default_rng(6)
    texts, chances = [], []
    for _ in range(4_000):
        events = rng.permutation(["plan", "code", "test", "ship"])[: rng.integers(2, 5)].tolist()
        is_ordered = "plan" in events and "test" in events[events.index("plan") :]
        texts.append(" > ".join(events))
        chances.append(0.3 + 0.3 * is_ordered)
    table = coins(rng, 4_000, 3) | {"steps": np.array(texts, dtype=object)}
    table["won"] = chances_to_outcome(rng, np.array(chances))

    report = discover_patterns(table, PatternSpec("won", sequence="steps"))

    assert confirmed(report) == {"plan > test": "replicated"}
    (found,) = [p for p in report.patterns if p.status == "replicated"]
    assert (found.kind, found.items) == ("sequence", ("plan", "test"))


def test_a_group_of_similar_cases_is_a_candidate_described_by_its_features() -> None:
    rng = np.random.default_rng(7)
    kind = rng.integers(0, 3, 3_000)
    shares = np.where(np.arange(9)[None] // 3 == kind[:, None], 0.95, 0.05)
    values = rng.random((3_000, 9)) < shares
    table = {f"f{i}": column.astype(float) for i, column in enumerate(values.T)}
    table["won"] = chances_to_outcome(rng, 0.3 + 0.3 * (kind == 1))

    report = discover_patterns(table, PatternSpec("won", max_size=1))

    assert len(report.clusters) == 3
    (found,) = [p for p in report.patterns if p.status == "replicated"]
    assert found.kind == "cluster"
    (cluster,) = [c for c in report.clusters if c.cluster == found.pattern]
    assert {text.split(":")[0] for text in cluster.described_by} >= {"f3", "f4", "f5"}


def test_the_same_seed_gives_the_same_report_and_another_one_other_parts() -> None:
    rng = np.random.default_rng(8)
    table = coins(rng, 2_000)
    table["won"] = chances_to_outcome(rng, 0.3 + 0.3 * table["f0"])
    first, again, other = (
        discover_patterns(table, PatternSpec("won", seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.patterns != other.patterns


def test_any_dependence_is_held_against_the_stricter_correction() -> None:
    rng = np.random.default_rng(9)
    table = coins(rng, 3_000)
    table["won"] = chances_to_outcome(rng, 0.3 + 0.2 * table["f0"] + 0.2 * table["f1"])
    usual = discover_patterns(table, SPEC)
    strict = discover_patterns(table, PatternSpec("won", dependence="any"))
    assert (usual.correction, strict.correction) == ("benjamini_hochberg", "benjamini_yekutieli")
    q_of = {p.pattern: p.q_value for p in usual.patterns}
    n = len(q_of)
    assert n >= 2
    for pattern in strict.patterns:
        stricter = q_of[pattern.pattern] * sum(1 / k for k in range(1, n + 1))
        assert pattern.q_value == pytest.approx(min(1.0, stricter))
