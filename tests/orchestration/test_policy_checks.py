"""Policies judged by tables of logged choices."""

from pathlib import Path

import numpy as np
import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.learner import Learner
from ml_orchestrator.learning.policy_models import PolicyColumns
from ml_orchestrator.orchestration.policy_checks import PolicyChecker
from ml_orchestrator.settings import Settings


def no_learner() -> Learner:
    raise AssertionError("a table needs no log")


@pytest.fixture
def checker(tmp_path: Path) -> PolicyChecker:
    settings = Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)
    return PolicyChecker(settings, no_learner)


def table(n: int = 600) -> dict[str, list[float | str | None]]:
    """Action b pays .7 where x is high and .3 elsewhere, a .5; asked: b where x is high."""
    rng = np.random.default_rng(1)
    x, is_b = rng.random(n), rng.random(n) < 0.4
    mean = np.where(is_b, np.where(x > 0.5, 0.7, 0.3), 0.5)
    wants_b = np.where(x > 0.5, 0.9, 0.1)
    return {
        "action": ["b" if b else "a" for b in is_b],
        "reward": (rng.random(n) < mean).astype(float).tolist(),
        "propensity": np.where(is_b, 0.4, 0.6).tolist(),
        "wanted": np.where(is_b, wants_b, 1 - wants_b).tolist(),
        "wants_a": (1 - wants_b).tolist(),
        "wants_b": wants_b.tolist(),
        "x": x.tolist(),
    }


ALL = PolicyColumns("wanted", chances={"a": "wants_a", "b": "wants_b"}, contexts=["x"])
TRUTH = 0.5 * (0.9 * 0.7 + 0.1 * 0.5) + 0.5 * (0.1 * 0.3 + 0.9 * 0.5)


def test_a_table_with_all_chances_is_judged_by_all_four_estimates(checker: PolicyChecker) -> None:
    report = checker.on_table(table(), ALL)

    assert list(report.estimates) == ["ips", "snips", "direct_method", "doubly_robust"]
    assert report.best == "doubly_robust"
    best = report.estimates["doubly_robust"]
    assert best.low is not None
    assert best.high is not None
    assert best.low <= TRUTH <= best.high
    assert report.estimates["direct_method"].low is None


def test_a_file_with_the_chance_of_the_action_alone_is_judged_by_weights(
    checker: PolicyChecker, tmp_path: Path
) -> None:
    given = table()
    lines = [
        ",".join(given),
        *(",".join(map(str, row)) for row in zip(*given.values(), strict=True)),
    ]
    (tmp_path / "log.csv").write_text("\n".join(lines), encoding="utf-8")

    report = checker.on_table("log.csv", PolicyColumns("wanted"))

    assert (list(report.estimates), report.best, report.n) == (["ips", "snips"], "snips", 600)
    assert report.estimates["snips"].value == pytest.approx(TRUTH, abs=0.06)


def test_rows_without_a_reward_are_passed_over_and_counted(checker: PolicyChecker) -> None:
    given = table()
    given["reward"] = [None, None, *given["reward"][2:]]

    report = checker.on_table(given, ALL)

    assert report.n == 598
    assert report.notices == ("2 rows without a reward were passed over.",)


def test_a_log_without_exploration_is_refused_with_the_reason(checker: PolicyChecker) -> None:
    given: dict[str, list[float | str | None]] = {
        "reward": [1.0, 0.0] * 50,
        "propensity": [0.99] * 100,
        "wanted": [0.01] * 100,
    }

    report = checker.on_table(given, PolicyColumns("wanted"))

    assert report.is_refused
    assert report.reason is not None
    assert "mean of target / propensity is 0.010" in report.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reward": ["good"] * 600}, "'reward' must hold numbers"),
        ({"propensity": [0.0] * 600}, "above 0 and at most 1"),
        ({"action": ["c"] * 600}, "Actions without a column in chances: c"),
        ({"wants_a": [0.9] * 600}, "sum to 1 in each row"),
        ({"wanted": [0.5] * 600}, "not the chance of the action taken"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    checker: PolicyChecker, change: dict[str, list[float | str | None]], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        checker.on_table(table() | change, ALL)


def test_a_column_that_is_missing_is_named_with_those_there_are(checker: PolicyChecker) -> None:
    with pytest.raises(InvalidInputError, match="no column 'goal'; there are action, reward"):
        checker.on_table(table(), PolicyColumns("goal"))


def test_propensities_that_the_rows_of_an_action_contradict_are_refused(
    checker: PolicyChecker,
) -> None:
    """All is logged as drawn by a half; b was taken in .4 of the rows."""
    given = table() | {"propensity": [0.5] * 600, "wanted": [0.5] * 600}
    given |= {"wants_a": [0.5] * 600, "wants_b": [0.5] * 600}

    with_chances = checker.on_table(given, ALL)
    alone = checker.on_table(given, PolicyColumns("wanted"))

    for report in (with_chances, alone):
        assert (report.is_refused, report.estimates) == (True, {})
        assert report.support.mean_weight == 1
        assert report.reason is not None
        assert report.reason.startswith("Action '")
        assert "contradicts its propensities" in report.reason
        assert "times the rows in which it could be taken, further from 1 than" in report.reason
        assert " that is tolerated. So the propensities" in report.reason
    nameless = {name: values for name, values in given.items() if name != "action"}
    assert not checker.on_table(nameless, PolicyColumns("wanted")).is_refused
