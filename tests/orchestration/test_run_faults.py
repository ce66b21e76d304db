"""Faults put into the store and the worker of runs: none is lost, no step is done twice."""

import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event
from tests.orchestration.run_world import LIMIT_S, NAMES, WORKFLOW, World

from ml_orchestrator.errors import QuotaExceededError, UnavailableError
from ml_orchestrator.orchestration._dbos import client, engine, given_up
from ml_orchestrator.orchestration.bell import FILE, LISTEN_S, answer
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.run_filter import ASKED_FOR, RunFilter
from ml_orchestrator.orchestration.statuses import GIVEN_UP
from ml_orchestrator.orchestration.versions import check_workflow_version

AN_HOUR_S = 3_600.0
LOCKED_S = 1.5  # soak_runs holds it for ten


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = World(tmp_path)
    try:
        yield opened
    finally:
        opened.close()
        if event.contains(Engine, "checkout", _lift):
            event.remove(Engine, "checkout", _lift)


def begin(world: World, run_id: str = "run-1x") -> None:
    """Start a worker and a run, and wait until its first step is at work."""
    world.start_worker()
    world.start_run(run_id)
    world.until(lambda: world.ledger.running(run_id, "first") == 1, "the first step begins")


def finish(world: World, run_id: str = "run-1x", steps: tuple[str, ...] = NAMES) -> None:
    """Let steps end well, each as it comes, and see that each was done once."""
    do(world, run_id, steps)
    world.until(lambda: world.client.status(run_id).is_over, "the run is over")
    status = world.client.status(run_id)
    assert (status.state, status.result) == ("succeeded", {step: run_id for step in NAMES})
    ended = Counter((deed.run_id, deed.step) for deed in world.ledger.ended)
    assert ended == {(run_id, step): 1 for step in NAMES}


def do(world: World, run_id: str, steps: tuple[str, ...]) -> None:
    """Let steps end well, each as it comes."""
    for step in steps:
        world.until(lambda step=step: world.ledger.running(run_id, step) == 1, f"{step} begins")  # type: ignore[misc]
        world.order(run_id, step, "finish")


def test_a_queue_that_is_full_takes_no_more_and_the_same_run_is_found_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_QUEUED", 2)
    for run_id in ("run-1x", "run-2x"):
        world.start_run(run_id)
    with pytest.raises(QuotaExceededError, match="2 runs wait in 'runs' already"):
        world.start_run("run-3x")
    assert world.start_run("run-2x").state == "queued"

    world.client.cancel("run-1x")
    assert world.start_run("run-3x").state == "queued"


def test_a_ring_has_a_queued_run_begin_long_before_it_is_time_to_look(world: World) -> None:
    world.start_worker()
    engine.poll_every(300.0)
    engine.look_now()  # from now on they wait for so long
    world.start_run("run-1x")
    world.until(is_told(world), "the bell is heard")

    finish(world)


def is_told(world: World) -> Callable[[], bool]:
    """Ring as a listening worker would, until the run has begun."""

    def has_begun() -> bool:
        engine.look_now()
        return world.ledger.running("run-1x", "first") == 1

    return has_begun


def test_who_listens_hears_each_ring_of_another_process(tmp_path: Path) -> None:
    heard, ended = threading.Semaphore(0), threading.Event()
    listening = threading.Thread(target=answer, args=(tmp_path, heard.release, ended))
    listening.start()
    try:
        for _ in range(2):
            time.sleep(2 * LISTEN_S)
            subprocess.run(["touch", str(tmp_path / FILE)], check=True)
            assert heard.acquire(timeout=LIMIT_S)
    finally:
        ended.set()
        listening.join()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock of a database, as a process that hangs in a transaction does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")


def test_a_step_that_ignores_the_cancel_is_not_run_beside_itself_when_the_run_is_resumed(
    world: World,
) -> None:
    begin(world)
    world.client.cancel("run-1x")
    assert world.ledger.running("run-1x", "first") == 1
    world.client.resume("run-1x")
    world.until(lambda: world.ledger.wanted["run-1x", "first"] == 2, "the step is come to again")

    assert world.ledger.running("run-1x", "first") == 1
    finish(world)
    assert len(world.ledger.begun) == len(NAMES)


def test_a_step_that_failed_for_a_cancelled_run_is_run_anew_for_the_resumed_one(
    world: World,
) -> None:
    begin(world)
    world.client.cancel("run-1x")
    world.client.resume("run-1x")
    world.until(lambda: world.ledger.wanted["run-1x", "first"] == 2, "the step is come to again")
    world.order("run-1x", "first", "fail")
    world.until(lambda: world.ledger.running("run-1x", "first") == 1, "it is run anew")
    world.ledger.ended.clear()
    world.ledger.begun.pop(0)

    finish(world)


def test_a_locked_database_delays_a_run_and_loses_nothing(world: World) -> None:
    begin(world)
    started = threading.Thread(target=world.start_run, args=("run-2x",))
    with locked(world.settings.home / "workflows.db"):
        started.start()
        world.order("run-1x", "first", "finish")
        time.sleep(LOCKED_S)
        assert world.client.status("run-1x").state == "running"
    started.join()

    finish(world, steps=NAMES[1:])
    world.ledger.ended.clear()
    finish(world, "run-2x")


def test_a_full_disk_fails_a_run_clearly_and_it_goes_on_when_there_is_room(world: World) -> None:
    begin(world)
    world.order("run-1x", "first", "finish")
    world.until(lambda: world.ledger.running("run-1x", "second") == 1, "the second step begins")
    with full_disk(world.settings.home / "workflows.db"):
        world.order("run-1x", "second", "finish large")
        world.until(lambda: world.client.status("run-1x").is_over, "the run is over")
    status = world.client.status("run-1x")
    assert world.client.resume("run-1x").run_id == "run-1x.2"
    for step in NAMES[1:]:
        world.until(lambda step=step: world.ledger.running("run-1x", step) == 1, f"{step} begins")  # type: ignore[misc]
        world.order("run-1x", step, "finish")
    world.until(lambda: world.client.status("run-1x.2").is_over, "the run is over")

    assert (status.state, status.error) == (
        "failed",
        "What the run did could not be recorded: database or disk is full. Make room, or see to "
        "the database, then resume it; the step that it was at is run again.",
    )
    assert world.client.status("run-1x.2").state == "succeeded"
    done = Counter(deed.step for deed in world.ledger.ended)
    assert done == {"first": 1, "second": 2, "third": 1}  # what could not be recorded is repeated


def test_a_clock_that_is_set_back_in_the_midst_of_a_run_changes_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = time.time
    begin(world)
    monkeypatch.setattr(time, "time", lambda: usual() - AN_HOUR_S)
    do(world, "run-1x", NAMES[:1])
    world.until(lambda: world.ledger.running("run-1x", "second") == 1, "the second step begins")
    world.kill_worker()
    world.start_worker()
    finish(world, steps=NAMES[1:])
    status = world.client.status("run-1x")
    world.start_run("run-2x")
    world.ledger.ended.clear()
    finish(world, "run-2x")

    assert [step.seconds == 0 for step in status.steps] == [True, False, False]
    assert {run.run_id for run in listed(world, ASKED_FOR)} == {"run-1x", "run-2x"}


def test_a_worker_that_dies_at_each_step_loses_none_and_repeats_only_what_it_was_at(
    world: World,
) -> None:
    begin(world)
    for step in NAMES:
        world.until(lambda step=step: world.ledger.running("run-1x", step) == 1, f"{step} begins")  # type: ignore[misc]
        world.kill_worker()
        world.start_worker()
        world.until(lambda step=step: world.ledger.running("run-1x", step) == 1, f"{step} begins")  # type: ignore[misc]
        world.order("run-1x", step, "finish")
    world.until(lambda: world.client.status("run-1x").is_over, "the run is over")

    assert world.client.status("run-1x").result == {step: "run-1x" for step in NAMES}
    assert Counter(deed.step for deed in world.ledger.begun) == dict.fromkeys(NAMES, 2)
    assert Counter(deed.step for deed in world.ledger.ended) == dict.fromkeys(NAMES, 1)


@pytest.mark.parametrize(("version", "goes_on"), [(WORKFLOW.version, True), (7, False)])
def test_after_an_upgrade_a_run_goes_on_as_planned_or_stops_with_a_clear_word(
    world: World, monkeypatch: pytest.MonkeyPatch, version: int, goes_on: bool
) -> None:
    begin(world)
    world.order("run-1x", "first", "finish")
    world.until(lambda: world.ledger.running("run-1x", "second") == 1, "the second step begins")
    world.kill_worker()
    monkeypatch.setattr(engine, "WORKFLOWS", {WORKFLOW.name: replace(WORKFLOW, version=version)})
    world.start_worker()
    if goes_on:
        finish(world, steps=NAMES[1:])
        return
    world.until(lambda: world.client.status("run-1x").is_over, "the run is over")
    status = world.client.status("run-1x")

    assert (status.state, status.error) == (
        "failed",
        "The run was planned with version 1 of the workflow 'tiny-states'; this release has "
        "version 7. Nothing more is done of it. Start it anew.",
    )
    assert [step.state for step in status.steps] == ["succeeded", "skipped", "skipped"]
    assert [deed.step for deed in world.ledger.begun] == ["first", "second"]


def test_a_run_of_a_later_release_says_that_its_worker_is_the_older_one() -> None:
    planned = {"version": WORKFLOW.version + 1}
    with pytest.raises(StepFailedError, match=r"earlier release.*worker restart; then start it"):
        check_workflow_version(planned, WORKFLOW)


def test_a_run_that_ends_its_worker_again_and_again_is_given_up_told_of_and_can_be_resumed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_RECOVERY_ATTEMPTS", 2)
    begin(world)
    for _ in range(3):
        world.until(lambda: world.ledger.running("run-1x", "first") == 1, "it is tried")
        world.kill_worker()
        world.start_worker()
    world.until(lambda: world.client.status("run-1x").is_over, "it is given up")
    over = world.client.status("run-1x")
    told: list[tuple[str, str, int]] = []

    def refuse(*_: object, **__: object) -> None:
        raise UnavailableError("the database is away")

    def note(run_id: str, plan: Mapping[str, Any], *, at_ms: int) -> None:
        told.append((run_id, plan["workflow"], at_ms))

    with pytest.raises(UnavailableError):
        engine.tell_given_up(refuse)
    engine.tell_given_up(note)  # it is not lost
    engine.tell_given_up(refuse)  # there is nothing more to tell

    assert (over.state, over.error) == ("failed", GIVEN_UP)
    ((*told_of, at_ms),) = told
    assert told_of == ["run-1x", "tiny-states"]
    assert abs(at_ms / 1000 - time.time()) < 3_600
    for wanted in (ASKED_FOR, RunFilter(state="failed"), RunFilter(workflow="tiny-states")):
        assert [run.run_id for run in listed(world, wanted)] == ["run-1x"]
    assert len(world.ledger.begun) == 3
    assert world.client.resume("run-1x").run_id == "run-1x"
    finish(world)


def test_a_run_that_was_given_up_and_cannot_be_read_keeps_no_other_from_being_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inputs: dict[str, Any] = {
        "run-a": None,
        "run-b": {"args": []},
        "run-c": {"args": [{"workflow": "w"}]},
    }
    looked: list[Mapping[str, Any]] = []

    def rows(*, workflow_ids: Sequence[str] = tuple(inputs), **given: Any) -> Sequence[Any]:
        looked.append(given)
        return [
            SimpleNamespace(workflow_id=name, completed_at=7, input=inputs[name])
            for name in workflow_ids
        ]

    told: list[str] = []
    monkeypatch.setattr("dbos.DBOS.list_workflows", rows)
    found = given_up.GivenUp(clock=lambda: given_up.LATELY_S)
    for _ in range(2):
        found.tell(lambda run_id, plan, *, at_ms: told.append(f"{run_id} {plan} {at_ms}"))

    assert told == ["run-c {'workflow': 'w'} 7"]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
    lists = [given for given in looked if "completed_after" in given]
    assert len(looked) == 2 + len(inputs)  # a plan is read once
    assert {str(given["completed_after"]) for given in lists} == {"1970-01-01T00:00:00+00:00"}


def listed(world: World, wanted: RunFilter) -> Sequence[RunStatus]:
    return world.client.runs(limit=5, cursor=None, wanted=wanted).runs


def _lift(connection: sqlite3.Connection, *_: object) -> None:
    connection.execute("PRAGMA max_page_count=4294967294")


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no connection of this process make a database larger, as on a disk without room."""
    with closing(sqlite3.connect(path)) as looking:
        (pages,) = looking.execute("PRAGMA page_count").fetchone()

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(Engine, "checkout", limit)
        event.listen(Engine, "checkout", _lift)
