"""What the columns of a table become, how it is cut, and what is refused."""

from typing import Any

import numpy as np
import pytest
from tests.evaluation.patterns.planting import chances_to_outcome, coins

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.features import binary_features
from ml_orchestrator.evaluation.patterns.parts import cut_parts
from ml_orchestrator.evaluation.patterns.request import PatternSpec


def test_columns_become_features_cut_on_the_first_part_alone() -> None:
    rng = np.random.default_rng(0)
    n, first = 400, np.arange(200)
    size = np.concatenate([np.arange(200.0), np.full(200, 1e6)])  # later values move no cut
    size[5] = np.nan
    kind = np.array(["a", "b", "c", None] * 100, dtype=object)
    pair = np.where(np.arange(n) % 3 == 0, "yes", "no").astype(object)
    flag = (rng.random(n) < 0.5).astype(float)
    table: dict[str, Any] = {
        "size": size,
        "kind": kind,
        "pair": pair,
        "flag": flag,
        "copy": flag.copy(),
        "not_flag": 1 - flag,
        "still": np.ones(n),
        "text": np.array([f"sentence {i}" for i in range(n)], dtype=object),
    }

    found = binary_features(table, list(table), learn_on=first, least=20)

    assert found.names == (
        "size > 99",
        "kind = a",
        "kind = b",
        "kind = c",
        "kind is missing",
        "pair = yes",
        "flag",
    )
    assert not found.values[5, 0]
    np.testing.assert_array_equal(found.values[:, 5], pair == "yes")
    notices = " ".join(found.notices)
    for told in (
        "copy: the same cases as 'flag'",
        "not_flag: the opposite of 'flag'",
        "still: left out, constant",
        "text: left out, 200 different values",
    ):
        assert told in notices


def test_groups_stay_whole_and_parts_share_no_case() -> None:
    groups = np.random.default_rng(1).integers(0, 150, 2_000)
    parts = cut_parts(2_000, seed=3, groups=groups)
    rows = [parts.selection, parts.test, parts.replication]
    assert sorted(np.concatenate(rows)) == list(range(2_000))
    seen = [set(groups[part]) for part in rows]
    assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])
    assert abs(len(parts.selection) - 1_200) < 60


def test_in_order_of_time_the_last_cases_replicate() -> None:
    times = np.random.default_rng(2).permutation(1_000).astype(float)
    parts = cut_parts(1_000, seed=0, times=times)
    assert times[parts.selection].max() < times[parts.test].min()
    assert times[parts.test].max() < times[parts.replication].min()


def test_what_happened_only_before_does_not_replicate_later() -> None:
    rng = np.random.default_rng(3)
    table = coins(rng, 5_000, 5) | {"day": np.arange(5_000.0)}
    effect = np.where(np.arange(5_000) < 4_000, 0.3, 0.0)  # gone in the last fifth
    table["won"] = chances_to_outcome(rng, 0.35 + effect * table["f0"])
    report = discover_patterns(table, PatternSpec("won", time="day"))
    (found,) = [p for p in report.patterns if p.pattern == "f0"]
    assert found.status == "confirmed"
    assert "not replicated" in found.summary


def test_outcomes_shared_by_groups_do_not_pass_for_patterns_of_their_cases() -> None:
    n_any = {"alone": 0, "grouped": 0}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(200), 10)
        traits = {f"f{i}": (rng.random(200) < 0.4)[user].astype(float) for i in range(6)}
        outcome = rng.normal(size=200)[user] + 0.3 * rng.normal(size=2_000)
        table = traits | {"won": outcome, "user": user.astype(float)}
        for name, group in (("alone", None), ("grouped", "user")):
            spec = PatternSpec("won", features=list(traits), group=group, seed=seed)
            report = discover_patterns(table, spec)
            n_any[name] += report.n_confirmed > 0
    assert n_any["alone"] >= 5  # each user's cases are counted as if they were independent
    assert n_any["grouped"] <= 1


def test_few_cases_are_warned_about_with_the_number_needed() -> None:
    rng = np.random.default_rng(5)
    table = coins(rng, 600)
    table["won"] = chances_to_outcome(rng, np.full(600, 0.5))
    report = discover_patterns(table, PatternSpec("won"))
    assert report.detectable_effect > 0.3
    assert any("600 cases are few" in w and "are needed" in w for w in report.warnings)


def test_cases_that_resemble_the_one_before_are_warned_about() -> None:
    rng = np.random.default_rng(6)
    table = coins(rng, 2_000, 4) | {"day": np.arange(2_000.0)}
    table["won"] = np.repeat(rng.normal(size=200), 10)
    report = discover_patterns(table, PatternSpec("won", time="day"))
    assert any("group column" in warning for warning in report.warnings)


def test_two_words_are_an_outcome_and_cases_without_one_are_left_out() -> None:
    rng = np.random.default_rng(7)
    table: dict[str, Any] = coins(rng, 2_000, 3)
    won = rng.random(2_000) < 0.2 + 0.5 * table["f0"]
    table["result"] = np.where(won, "passed", "failed").astype(object)
    table["result"][:100] = None
    report = discover_patterns(table, PatternSpec("result"))
    assert report.n_cases == 1_900
    assert report.patterns[0].pattern == "f0"
    assert report.patterns[0].replication is not None
    assert report.patterns[0].replication.effect > 0.4
    assert "100 cases without a result are left out." in report.notices
    assert "The outcome is the share of cases with result = passed." in report.notices


def change(**columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    table: dict[str, Any] = coins(rng, 500, 3)
    table["won"] = chances_to_outcome(rng, np.full(500, 0.5))
    return table | columns


TOO_RARE = np.array([1.0] * 5 + [0.0] * 495)
WORDS = np.array(["a", "b", "c", "d", "e"] * 100, dtype=object)


@pytest.mark.parametrize(
    ("table", "options", "told"),
    [
        (change(), {"outcome": "wno"}, "(did you mean 'won'?)"),
        (change(won=np.ones(500)), {}, "must vary"),
        (change(won=TOO_RARE), {}, "Only 5 cases"),
        (change(won=WORDS), {}, "5 different words"),
        ({k: v[:200] for k, v in change().items()}, {}, "at least 300 are needed"),
        (change(who=np.arange(500.0) // 20), {"group": "who"}, "at least 100 are needed"),
        (change(who=np.full(500, np.nan)), {"group": "who"}, "have no who"),
        (change(when=WORDS), {"time": "when"}, "must hold a date"),
        (change(steps=np.arange(500.0)), {"sequence": "steps"}, "is text with its events in order"),
        (change(short=np.ones(3)), {}, "one value a case"),
        (change(), {"features": ["won"]}, "cannot be a feature"),
        (change(), {"fdr": 0.0}, "fdr must lie between"),
        (change(), {"min_support": 0.7}, "min_support must be"),
        (change(), {"max_size": 4}, "max_size must be"),
        (change(), {"seed": -1}, "seed must be"),
        (change(), {"group": "won"}, "must be different columns"),
        ({"won": change()["won"], "c": np.ones(500)}, {}, "No column makes a usable feature"),
        (change(**{f"g{i}": np.random.default_rng(i).normal(size=500) for i in range(130)}), {},
         "at most 120"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_with_what_would_work(
    table: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        discover_patterns(table, PatternSpec(**{"outcome": "won", **options}))


def test_an_order_of_events_is_enough_without_any_feature() -> None:
    rng = np.random.default_rng(0)
    orders = np.array(["plan > code > test", "code > plan", "test"], dtype=object)
    events = orders[rng.integers(0, 3, 900)]
    won = (rng.random(900) < np.where(events == orders[0], 0.8, 0.2)).astype(float)

    spec = PatternSpec(outcome="won", sequence="events")
    report = discover_patterns({"events": events, "won": won}, spec)

    assert (report.n_features, report.n_replicated) == (0, 1)
    assert report.patterns[0].kind == "sequence"
    still = np.full(900, "test", dtype=object)
    with pytest.raises(InvalidInputError, match="no order of events in 'events' is frequent"):
        discover_patterns({"events": still, "won": won}, spec)


def noise(seed: int, n: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    coins_ = {name: (rng.random(n) < 0.5).astype(float) for name in ("a", "b", "c", "won")}
    return coins_ | {"size": rng.random(n)}


def test_copies_of_rows_do_not_replicate_each_other() -> None:
    n_replicated = 0
    for seed in range(3):
        copied = {name: np.tile(column, 20) for name, column in noise(seed, 600).items()}
        report = discover_patterns(copied, PatternSpec(outcome="won"))
        n_replicated += report.n_replicated
        assert any("11,400 of 12,000 cases are exact copies" in told for told in report.notices)
    assert n_replicated == 0


def test_rows_that_repeat_by_themselves_are_no_copies() -> None:
    table = noise(1, 600)
    whole = discover_patterns(table, PatternSpec(outcome="won"))
    assert not any("copies" in told for told in whole.notices)
    del table["size"]
    report = discover_patterns(table, PatternSpec(outcome="won"))
    assert not any("copies" in told for told in report.notices)


def test_too_few_different_rows_are_refused() -> None:
    copied = {name: np.tile(column, 10) for name, column in noise(1, 80).items()}
    with pytest.raises(InvalidInputError, match="800 cases are copies of 80 different rows"):
        discover_patterns(copied, PatternSpec(outcome="won"))
