"""Patterns that leave no doubt are found; copies of the outcome, and what is left out, are told."""

from typing import Any

import numpy as np
import pytest
from tests.evaluation.patterns.planting import chances_to_outcome, coins

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.certainty import certain_effects
from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.numerics.wilson import newcombe_interval

SPEC = PatternSpec("won")


def words(values: Any) -> Any:
    return np.asarray(values, dtype=object)


def only(report: PatternReport) -> tuple[str, float, str]:
    (found,) = report.patterns
    assert found.replication is not None
    return found.pattern, round(found.replication.effect, 9), found.status


def test_an_outcome_that_a_feature_decides_is_found() -> None:
    rng = np.random.default_rng(0)
    shuffled = words(rng.permutation(["x", "y"] * 1_000))
    turns = words(["x", "y"] * 200)
    levels = words(rng.choice(["x", "y", "z"], 2_000))
    for table, expected in (
        ({"a": shuffled}, ("a = y", -1.0, "replicated")),
        ({"a": turns}, ("a = y", -1.0, "replicated")),
        ({"a": levels, "noise": rng.normal(size=2_000)}, ("a = x", 1.0, "replicated")),
    ):
        table["won"] = (table["a"] == "x").astype(float)
        report = discover_patterns(table, SPEC)
        assert only(report) == expected
        assert "1 of them replicated" in report.summary


def test_groups_that_a_feature_decides_count_as_groups() -> None:
    who = np.repeat(np.arange(300.0), 10)
    table = {"who": who, "f": who % 2, "won": who % 2}
    (found,) = discover_patterns(table, PatternSpec("won", ["f"], group="who")).patterns
    assert found.status == "replicated"
    assert found.replication is not None
    assert 0.75 < found.replication.low < 0.95  # of 60 groups, not of 600 cases


def test_a_certain_effect_has_newcombes_interval_and_the_score_tests_p_value() -> None:
    holds = np.repeat([1.0, 0.0], [30, 70])
    (effect,) = certain_effects(holds[:, None], holds, np.ones(1), None)
    low, high = newcombe_interval((0, 70), (30, 30))
    assert effect.low == pytest.approx(low)
    assert effect.high == pytest.approx(high)
    # by hand: (n p q)^2 / (n p q (p^3 + q^3)) = 21 / 0.37 of chi-square is 56.76
    assert effect.p_value == pytest.approx(4.9e-14, rel=0.02)


def test_a_column_beside_a_perfect_one_has_no_certain_effect() -> None:
    rng = np.random.default_rng(1)
    columns = (rng.random((200, 2)) < 0.5).astype(float)
    one, other = certain_effects(columns, columns[:, 0], np.array([1.0, 0.0]), None)
    assert one.p_value < 1e-9
    assert other.p_value == 1.0
    assert other.low < 0 < other.high


def test_a_copy_of_the_outcome_is_warned_about_and_a_real_pattern_is_not() -> None:
    rng = np.random.default_rng(2)
    table: dict[str, Any] = coins(rng, 2_000, 3)
    table["won"] = chances_to_outcome(rng, 0.2 + 0.5 * table["f0"])
    plain = discover_patterns(table, SPEC)
    code = words(np.where(table["won"] > 0, "W", "L"))
    copied = discover_patterns(table | {"won_code": code, "percent": 100 * table["won"]}, SPEC)
    assert not any("gives the outcome away" in w for w in plain.warnings)
    (told,) = [w for w in copied.warnings if "gives the outcome away" in w]
    assert told.startswith("percent, won_code = W: ")


def test_texts_of_too_many_values_are_not_called_constant() -> None:
    rng = np.random.default_rng(3)
    table: dict[str, Any] = coins(rng, 3_000, 2)
    table["won"] = chances_to_outcome(rng, np.full(3_000, 0.5))
    table["id"] = words([f"user {i % 1_000}" for i in range(3_000)])
    table["steps"] = words([" > ".join(rng.permutation(list("abcde"))) for _ in range(3_000)])
    table["note"] = words([f"it went {i}" for i in range(3_000)])
    told = {notice.split(":")[0]: notice for notice in discover_patterns(table, SPEC).notices}
    assert set(told) == {"id", "steps", "note"}
    assert not any("constant" in notice for notice in told.values())
    assert "different values" in told["id"]
    assert "names or free text" in told["id"]
    assert "names or free text" in told["note"]
    assert "name it in sequence" in told["steps"]


def test_dates_are_no_outcome() -> None:
    table = coins(np.random.default_rng(4), 500, 2) | {"won": np.arange(500.0)}
    with pytest.raises(InvalidInputError, match="holds dates or times"):
        discover_patterns(table, SPEC, times={"won"})


def test_the_promise_of_power_says_for_what_it_holds() -> None:
    rng = np.random.default_rng(5)
    table = coins(rng, 500, 2) | {"won": rng.normal(size=500)}
    assert "if its pattern is one of those looked at" in discover_patterns(table, SPEC).summary
