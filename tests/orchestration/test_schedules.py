"""Schedules: when they are due, who gets them, and the worker that stays for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.conftest import new_postgres_url
from tests.orchestration.workflow_bench import open_bench, until

from ml_orchestrator.errors import InvalidInputError, NotFoundError, UnavailableError
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.keeping import keep_worker
from ml_orchestrator.orchestration.launch import WorkerLauncher
from ml_orchestrator.orchestration.leases import is_running
from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
from ml_orchestrator.orchestration.monitors.opening import KIND as MONITOR
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.pipelines.scheduling import KIND as PIPELINE
from ml_orchestrator.orchestration.pipelines.scheduling import PipelineSchedules
from ml_orchestrator.orchestration.schedules import SCHEDULED, Cadence, Due, Schedules
from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext, Sweeper
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
MINUTELY = Cadence(every_s=60)
HANDED: list[Due] = []


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def note(_: ScheduleContext, due: Due) -> None:
    HANDED.append(due)


def refuse(_: ScheduleContext, due: Due) -> None:
    raise InvalidInputError(f"{due.key} cannot be started.")


def break_down(_: ScheduleContext, due: Due) -> None:
    raise RuntimeError("the private detail")


def be_away(_: ScheduleContext, due: Due) -> None:
    raise UnavailableError("The workflow database is away.")


for _function in (note, refuse, break_down, be_away):
    SCHEDULED.register(f"test-{_function.__name__}")(f"{__name__}:{_function.__name__}")


def no_client() -> Any:
    raise AssertionError("nothing here starts a run")


def times(cadence: Cadence, after: datetime, n: int) -> list[str]:
    """Return the next due times, as hours and minutes of days in UTC."""
    found = []
    for _ in range(n):
        after = cadence.following(after)
        found.append(f"{after:%d %H:%M}")
    return found


def test_a_cron_follows_its_zone_through_summer_time() -> None:
    daily = Cadence(cron="30 2 * * *", zone="Europe/Berlin")

    assert times(daily, NOON, 3) == ["29 01:00", "30 00:30", "31 00:30"]
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times(daily, autumn, 2) == ["25 00:30", "26 01:30"]
    hourly = Cadence(cron="30 * * * *", zone="Europe/Berlin")
    assert times(hourly, datetime(2026, 10, 25, 0, tzinfo=UTC), 2) == ["25 00:30", "25 01:30"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "one of them"),
        ({"cron": "0 3 * * *", "every_s": 60}, "one of them"),
        ({"cron": "0 3 * *"}, "minute, hour, day, month and weekday"),
        ({"cron": "61 3 * * *"}, "out of range"),
        ({"cron": "R R * * *"}, "minute, hour, day, month and weekday"),
        ({"cron": "0 0 30 2 *"}, "failed to find next date"),
        ({"cron": "0 3 * * *", "zone": "Mars/Base"}, "IANA name"),
        ({"cron": "0 3 * * *", "zone": "../etc/passwd"}, "IANA name"),
        ({"every_s": 0.5}, "1 to"),
        ({"every_s": float("nan")}, "1 to"),
    ],
)
def test_a_cadence_that_cannot_be_used_says_why(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Cadence(**given)


def test_of_two_workers_each_due_time_goes_to_one(database: Database, clock: Clock) -> None:
    workers = [Schedules(database, now=clock) for _ in range(2)]
    for number in range(12):
        workers[0].put("test-note", f"job-{number}", MINUTELY, owner="ann")
    clock.pass_s(61)
    barrier = threading.Barrier(2)

    def work(index: int) -> list[Due]:
        barrier.wait()
        found = []
        while due := workers[index].claim(f"worker-{index}"):
            found.append(due)
            workers[index].settle(due)
        return found

    with ThreadPoolExecutor(2) as pool:
        claimed = [due for part in pool.map(work, range(2)) for due in part]

    assert sorted(due.key for due in claimed) == sorted(f"job-{n}" for n in range(12))
    assert {due.number for due in claimed} == {1}
    assert len({due.run_id for due in claimed}) == 12


def test_a_schedule_is_started_by_workers_of_its_own_data_directory(
    database: Database, clock: Clock
) -> None:
    left, right = (Schedules(database, home_id=name, now=clock) for name in ("left", "right"))
    left.put("test-note", "job", MINUTELY, owner="ann")
    clock.pass_s(61)

    assert (right.claim("of right"), right.has_enabled()) == (None, False)
    right.put("test-note", "job", MINUTELY, owner="bob", stays=True)
    right.replan()
    assert (right.claim("of right"), left.has_enabled()) == (None, True)
    due = left.claim("of left")
    assert due is not None
    clock.pass_s(61)
    assert right.claim("of right") is None  # nor what a dead one of the left had
    left.settle(due)

    right.put("test-note", "job", MINUTELY, owner="bob")
    assert (left.claim("of left"), left.has_enabled()) == (None, False)
    assert right.claim("of right") is not None
    Schedules(database, now=clock).put("test-note", "anyone's", MINUTELY, owner="ann")
    assert (left.has_enabled(), right.has_enabled()) == (True, True)


def test_a_scheduled_pipeline_and_a_monitor_are_left_to_their_own_directory(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []
    url = new_postgres_url(postgres_server)
    left, right = (
        Settings.read({}, home=tmp_path / name, project_dir=tmp_path, database_url=url)
        for name in ("left", "right")
    )
    database = open_database(url, tmp_path)
    step = {"uses": "profile", "with": {"source": "builtin:iris"}}
    planned = plan_pipeline({"name": "nightly", "steps": {"look": step}}, {}, left)
    PipelineSchedules(left, database).put(planned, {}, Cadence(every_s=1), owner="ann")
    monkeypatch.setattr(WorkerLauncher, "ensure", lambda _: woken.append("woken"))
    spec = {"watch": "builtin:iris", "reference": "builtin:iris", "drift": {}}
    MonitorDesk(left, database).set("mon", spec, actor="ann", dry_run=False)
    for kind, key in ((PIPELINE, "nightly"), (MONITOR, "mon")):
        Schedules(database).trigger(kind, key)

    others = Sweeper(right, database, client=no_client)
    assert (others.sweep(), others.is_wanted()) == (0, False)
    MonitorDesk(right, database).pause("mon", actor="bob", dry_run=False)
    MonitorDesk(right, database).resume("mon", actor="bob", dry_run=False)
    Schedules(database).trigger(MONITOR, "mon")
    assert (others.sweep(), others.is_wanted()) == (0, False)
    woken.clear()
    look_once(right, database)
    assert woken == []
    assert [each.last_error for each in Schedules(database).list()] == [None, None]
    look_once(left, database)
    assert len(woken) == 1
    database.close()


def test_times_missed_while_nobody_worked_are_made_up_for_once(
    database: Database, clock: Clock
) -> None:
    schedules = Schedules(database, now=clock)
    schedules.put("test-note", "job", MINUTELY, owner="ann")
    clock.pass_s(3_630)

    due = schedules.claim("worker")

    assert due is not None
    assert due.due_at == NOON + timedelta(seconds=60)
    schedules.settle(due)
    assert schedules.claim("worker") is None
    (kept,) = schedules.list()
    assert kept.next_due_at == NOON + timedelta(seconds=3_660)  # in step
    assert (kept.n_due, kept.last_due_at) == (1, due.due_at)


def test_what_a_dead_worker_had_claimed_is_handed_out_again_as_the_same_run(
    database: Database, clock: Clock
) -> None:
    schedules = Schedules(database, now=clock)
    schedules.put("test-note", "job", MINUTELY, owner="ann")
    clock.pass_s(60)
    first = schedules.claim("dies")
    assert first is not None

    clock.pass_s(59)
    assert schedules.claim("lives") is None
    clock.pass_s(2)
    again = schedules.claim("lives")

    assert again == first
    assert schedules.claim("late") is None


def test_a_clock_set_back_neither_stalls_nor_repeats(database: Database, clock: Clock) -> None:
    schedules = Schedules(database, now=clock)
    schedules.put("test-note", "often", MINUTELY, owner="ann")
    schedules.put("test-note", "daily", Cadence(cron="0 13 * * *"), owner="ann")
    clock.pass_s(3_600)
    while due := schedules.claim("worker"):
        schedules.settle(due)

    clock.pass_s(-1_800)
    schedules.replan()
    kept = {schedule.key: schedule.next_due_at for schedule in schedules.list()}
    assert kept["often"] == clock() + timedelta(seconds=60)
    assert kept["daily"] == datetime(2026, 3, 29, 13, tzinfo=UTC)  # not today once more

    clock.pass_s(-10 * 86_400)
    schedules.replan()
    assert schedules.list()[0].next_due_at == datetime(2026, 3, 18, 13, tzinfo=UTC)


def test_a_schedule_put_again_keeps_its_time_and_one_that_changed_is_planned_anew(
    database: Database, clock: Clock
) -> None:
    schedules = Schedules(database, now=clock)
    first = schedules.put("test-note", "job", MINUTELY, owner="ann")
    clock.pass_s(30)
    assert schedules.put("test-note", "job", MINUTELY, owner="ann") == first
    slower = schedules.put("test-note", "job", Cadence(every_s=120), owner="ann")
    assert slower.next_due_at == clock() + timedelta(seconds=120)

    schedules.put("test-note", "job", Cadence(every_s=120), owner="ann", is_enabled=False)
    clock.pass_s(1_000)
    assert (schedules.claim("worker"), schedules.has_enabled()) == (None, False)
    with pytest.raises(NotFoundError, match="'job'"):
        schedules.trigger("test-note", "job")
    woken = schedules.put("test-note", "job", Cadence(every_s=120), owner="ann")
    assert woken.next_due_at == clock() + timedelta(seconds=120)
    schedules.trigger("test-note", "job")
    assert schedules.claim("worker") is not None
    assert [schedules.remove("test-note", "job") for _ in range(2)] == [True, False]
    assert schedules.list() == []


def test_one_that_cannot_start_says_why_and_holds_up_nobody(tmp_path: Path, clock: Clock) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    database = open_database(settings.state_url, tmp_path)
    schedules = Schedules(database, now=clock)
    for kind in ("test-be_away", "test-break_down", "test-note", "test-refuse", "gone"):
        schedules.put(kind, "job", MINUTELY, owner="ann")
    sweeper = Sweeper(settings, database, client=no_client, schedules=schedules)
    HANDED.clear()
    clock.pass_s(60)

    assert sweeper.sweep() == 5
    errors = {schedule.kind: schedule.last_error for schedule in schedules.list()}
    assert [due.key for due in HANDED] == ["job"]
    assert errors["test-note"] is None
    assert errors["test-refuse"] == "job cannot be started."
    assert "private" not in str(errors["test-break_down"])
    assert "No kind of schedule named 'gone'" in str(errors["gone"])
    clock.pass_s(61)
    assert sweeper.sweep() == 5  # the one that was away is handed out again
    away = schedules.list("test-be_away")[0]
    assert (away.n_due, away.last_error) == (1, None)
    database.close()


def test_a_read_only_installation_starts_no_pipeline_that_is_due(
    tmp_path: Path, clock: Clock
) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    read_only = settings.model_copy(update={"mode": "read-only"})
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "nightly.json").write_text("{}")
    database = open_database(settings.state_url, tmp_path)
    schedules = Schedules(database, now=clock)
    schedules.put(PIPELINE, "nightly", MINUTELY, owner="ann")
    clock.pass_s(60)

    assert Sweeper(read_only, database, client=no_client, schedules=schedules).sweep() == 1
    (found,) = schedules.list(PIPELINE)
    assert "runs read-only" in str(found.last_error)
    database.close()


def look_once(settings: Settings, database: Database) -> None:
    """See to a worker as a server does, once."""
    ended = threading.Event()
    ended.set()
    with closing(RunClient(settings)) as runs:
        keep_worker(settings, lambda: database, lambda: runs, ended)


def test_a_worker_comes_and_stays_for_a_schedule_and_leaves_when_it_is_gone(
    tmp_path: Path,
) -> None:
    with open_bench(tmp_path, worker_idle_s=1) as bench:
        database = open_database(bench.settings.state_url, tmp_path)
        schedules = Schedules(database)
        look_once(bench.settings, database)
        assert not bench.leases.all()  # nothing is scheduled

        schedules.put("tiny", str(bench.ledger), Cadence(every_s=1), owner="ann")
        look_once(bench.settings, database)
        until(lambda: len(bench.entries("double")) >= 3, what="it came due three times")
        worker = bench.worker()
        runs = {str(entry["run_id"]) for entry in bench.entries("double")}
        assert len(runs) == len(bench.entries("double"))
        assert {bench.client.status(run).actor for run in runs} == {"ann"}

        schedules.remove("tiny", str(bench.ledger))
        until(lambda: not is_running(worker), what="the worker leaves")
        database.close()
