"""When looks become alerts and when those are over, decided and kept."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.monitors.hysteresis import step
from ml_orchestrator.health.monitors.models import Condition, Look, MonitorSpec, Verdict, read_spec
from ml_orchestrator.health.monitors.store import MonitorStore
from ml_orchestrator.storage.engine import Database

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
VERDICTS: dict[str, Verdict] = {"g": "good", "b": "bad", "-": "no_data", "=": "unchanged"}
SPEC = {"watch": "day-*.csv", "reference": "before.csv", "quality": {}, "grace_s": 300}


def followed(letters: str, **given: Any) -> list[tuple[str, str]]:
    """Return state and effect after each look, a minute apart."""
    spec = read_spec({**SPEC, **given})
    condition = Condition(last_data_at=NOON.isoformat())
    found: list[tuple[str, str]] = []
    is_open: Literal["finding", "no_data"] | None = None
    for minute, letter in enumerate(letters, 1):
        at = NOON + timedelta(minutes=minute)
        condition, effect = step(condition, VERDICTS[letter], at=at, spec=spec, is_open=is_open)
        if effect.startswith("resolve"):
            is_open = None
        if "open_" in effect:
            is_open = "no_data" if effect == "open_no_data" else "finding"
        found.append((condition.state, effect))
    return found


def effects(letters: str, **given: Any) -> list[str]:
    return [effect for _, effect in followed(letters, **given)]


def test_an_alert_opens_after_k_bad_looks_of_n_and_once() -> None:
    assert effects("bggbgb") == ["none"] * 5 + ["open_finding"]
    assert effects("bb" + "b" * 5)[1:] == ["open_finding", *["none"] * 5]
    assert followed("bg")[-1] == ("suspect", "none")
    assert followed("bgggg")[-1] == ("healthy", "none")


def test_it_is_resolved_after_m_good_looks_in_a_row_and_may_open_again() -> None:
    assert effects("bbgbgg") == ["none", "open_finding", *["none"] * 3, "resolve"]
    assert followed("bbgg")[-1] == ("healthy", "resolve")
    assert effects("bbggbb")[-2:] == ["none", "open_finding"]
    assert followed("bbg")[-1] == ("alerting", "none")


@pytest.mark.parametrize("letter", ["-", "="])
def test_missing_data_open_an_alert_of_their_own_after_a_grace_and_data_resolve_it(
    letter: str,
) -> None:
    assert effects(letter * 7) == ["none"] * 4 + ["open_no_data", "none", "none"]
    assert followed(f"g{letter * 5}")[-1] == ("no_data", "open_no_data")
    assert followed(f"{letter * 6}g")[-1] == ("healthy", "resolve")
    assert effects(f"{letter * 6}b", open_after=1, of=1)[-1] == "resolve_and_open_finding"


def test_no_data_is_not_healthy_at_once_and_nothing_new_is_after_the_grace() -> None:
    assert followed("g-")[-1] == ("no_data", "none")
    assert followed("g=")[-1] == ("healthy", "none")
    assert followed("g======")[-1][0] == "no_data"


def test_missing_data_leave_an_open_finding_open_and_open_no_second_alert() -> None:
    assert followed("bb" + "-" * 8)[1:] == [
        ("alerting", "open_finding"),
        *[("alerting", "none")] * 8,
    ]
    assert effects("bbg-g")[-1] == "none"  # the good ones are not in a row


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"quality": None}, "nothing would be checked"),
        ({"reference": None}, "reference is missing"),
        ({"open_after": 4}, "open_after 4"),
        ({"least_rows": 30_000}, "least_rows"),
        ({"every_s": 5}, "every_s"),
        ({"false_alarm_rate": 0.5}, "false_alarm_rate"),
        ({"tell": ["../x"]}, "tell"),
        ({"performance": {"target": "y"}, "reference": "baseline:b"}, "rows with labels"),
        ({"wacth": "x"}, "wacth"),
    ],
)
def test_a_specification_that_cannot_be_used_says_why(given: Any, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        read_spec({**SPEC, **given})


def test_the_specifications_that_the_page_shows_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitors.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL)]

    assert [read_spec(each.get("spec", each)).watch for each in shown] == [
        "data/visits-*.parquet"
    ] * 2


# Kept ----------------------------------------------------------------------------------


class Bench:
    """A store with a clock of its own."""

    def __init__(self, database: Database) -> None:
        self.at, self.n_ids, self.n_runs = NOON, 0, 0
        self.store = MonitorStore(database, new_id=self._id, now=lambda: self.at)

    def put(self, **given: Any) -> MonitorSpec:
        spec = read_spec({**SPEC, **given})
        self.store.put("sales", spec, owner="ann", is_paused=False)
        return spec

    def look(self, letters: str) -> None:
        for letter in letters:
            self.at += timedelta(minutes=1)
            self.n_runs += 1
            self.record(VERDICTS[letter], run_id=f"run-{self.n_runs}")

    def record(self, verdict: Verdict, *, run_id: str) -> None:
        look = Look(at=self.at.isoformat(), verdict=verdict, summary=f"look {run_id}")
        self.store.record("sales", look, run_id=run_id, seen={"n": self.n_runs})

    def owed(self) -> list[tuple[str, Sequence[str]]]:
        return [(owed.alert.alert_id, owed.actions) for owed in self.store.owed("sales")]

    def _id(self) -> str:
        self.n_ids += 1
        return f"alert-{self.n_ids}"


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


def test_an_episode_is_one_alert_that_owes_each_action_once(bench: Bench) -> None:
    bench.put(retrain={"params": {}}, roll_back={"model": "sales"})
    bench.look("bbbb")
    (alert,) = bench.store.open_alerts()
    assert (alert.alert_id, alert.kind, alert.summary) == ("alert-1", "finding", "look run-2")
    assert bench.owed() == [("alert-1", ("tell", "retrain", "roll_back"))]
    for action in ("tell", "retrain", "roll_back"):
        bench.store.note("alert-1", f"{action} done", done=action)
    assert bench.owed() == []

    bench.look("gg")
    assert bench.store.open_alerts() == []
    (over,) = bench.store.alerts("sales")
    assert over.resolved_at is not None
    assert [event.partition(" ")[2] for event in over.events] == [
        "tell done",
        "retrain done",
        "roll_back done",
        "Resolved. look run-6",
    ]
    assert bench.owed() == [("alert-1", ("tell_resolved",))]


def test_a_run_that_is_repeated_records_its_look_once(bench: Bench) -> None:
    bench.put(open_after=2, of=2)
    for _ in range(3):
        bench.record("bad", run_id="run-1")

    assert bench.store.get("sales").n_looks == 1
    assert len(bench.store.looks("sales")) == 1
    assert bench.store.open_alerts() == []


def test_the_last_look_of_each_monitor_is_the_newest_one(bench: Bench) -> None:
    spec = bench.put()
    bench.store.put("quiet", spec, owner="ann", is_paused=False)
    bench.look("gbg")

    assert bench.store.last_looks() == {"sales": bench.store.looks("sales", limit=1)[0]}
    assert bench.store.last_looks()["sales"].summary == "look run-3"


def test_an_action_that_was_not_done_before_the_end_is_not_done_afterwards(bench: Bench) -> None:
    bench.put(retrain={"params": {}}, resolve_after=1)
    bench.look("bbg")
    assert bench.owed() == [("alert-1", ("tell_resolved",))]


def test_a_monitor_that_judges_otherwise_begins_anew_and_one_that_only_tells_others_goes_on(
    bench: Bench,
) -> None:
    bench.put()
    bench.look("b")
    bench.put(tell=["performance-engineer"])
    assert bench.store.get("sales").condition.recent == (True,)
    bench.put(watch="other.csv")
    fresh = bench.store.get("sales").condition
    assert (fresh.recent, fresh.state, fresh.seen) == ((), "waiting", {})


def test_what_is_owed_in_the_name_of_a_former_owner_is_let_go(bench: Bench) -> None:
    spec = bench.put(retrain={"params": {}}, roll_back={"model": "sales"})
    bench.look("bb")
    bench.store.put("sales", spec, owner="ann", is_paused=True)
    assert bench.owed() == [("alert-1", ("tell", "retrain", "roll_back"))]

    bench.store.put("sales", spec, owner="bob", is_paused=False)
    assert bench.owed() == [("alert-1", ("tell",))]
    (alert,) = bench.store.open_alerts()
    assert "Not done any more: retrain, roll_back. The owner is bob now" in alert.events[-1]


def test_a_removed_monitor_leaves_its_alerts_resolved(bench: Bench) -> None:
    bench.put()
    bench.look("bb")
    bench.store.delete("sales", actor="ann")

    assert bench.store.open_alerts() == []
    (alert,) = bench.store.alerts("sales")
    assert "removed" in alert.events[-1]
    with pytest.raises(NotFoundError, match="none; monitor_set makes one"):
        bench.store.get("sales")
    bench.put()  # the same name begins anew
    assert bench.store.get("sales").n_looks == 0
