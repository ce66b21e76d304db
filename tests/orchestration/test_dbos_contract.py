"""What we rely on in DBOS without its public promise."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.orchestration import tiny_workflows as tiny
from tests.orchestration.run_world import LIMIT_S, World
from tests.orchestration.workflow_bench import until

from ml_orchestrator.orchestration._dbos import engine, looking
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration._dbos.database import QUEUES, prepare
from ml_orchestrator.orchestration.execution import Job
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings


async def _never(job: Job) -> dict[str, object]:
    raise AssertionError(f"{job.step} must not run")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    read = Settings.read({}, home=tmp_path, project_dir=tmp_path, plugins=(tiny.__name__,))
    prepare(read)
    yield read
    engine.shut_down()


def _owners(settings: Settings) -> dict[str, tuple[str, str]]:
    query = "SELECT workflow_uuid, status, queue_name FROM workflow_status"
    with closing(sqlite3.connect(settings.home / "workflows.db")) as connection:
        return {run_id: (status, queue) for run_id, status, queue in connection.execute(query)}


def test_adopting_queues_the_runs_of_the_dead_again_and_touches_nobody_elses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = RunClient(settings)
    params = tiny.TinyParams(ledger="none").model_dump()
    for owner in ("dead", "other"):
        client.start(f"run-of-{owner}", WORKFLOWS["tiny"], params, actor="tester")
    client.close()
    with closing(sqlite3.connect(settings.home / "workflows.db")) as connection, connection:
        connection.execute(
            "UPDATE workflow_status SET status = 'PENDING', "
            "executor_id = substr(workflow_uuid, length('run-of-') + 1)"
        )
    monkeypatch.setattr(engine, "QUEUES", {})
    engine.launch("adopter", settings, _never)

    engine.adopt(["dead"])

    assert _owners(settings) == {
        "run-of-dead": ("ENQUEUED", "runs"),
        "run-of-other": ("PENDING", "runs"),
    }


def test_the_workflow_database_is_in_wal_mode(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.home / "workflows.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_run_that_ended_makes_place_for_the_next_one_without_a_look_at_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    try:
        world.start_worker()
        engine.poll_every(300.0)
        (lookers,), (strays,) = engine._lookers, engine._strays
        active = strays._engine._active_workflows_set
        entry = active.add("run-1x", "runs")
        assert active.count_for_queue("runs") == 1
        heard: list[str] = []
        monkeypatch.setattr(lookers._bells["runs"], "ring", lambda: heard.append("runs"))
        entry.release()
        assert (active.count_for_queue("runs"), heard) == (0, ["runs"])
    finally:
        world.close()


def test_a_glance_has_only_queues_looked_at_where_a_run_waits_that_there_is_room_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "UNASKED_S", 300.0)
    engine.launch("glancer", settings, _never)
    (lookers,), (strays,) = engine._lookers, engine._strays
    active = strays._engine._active_workflows_set
    at_work = [active.add(f"run-{n}x", "runs") for n in range(QUEUES["runs"])]
    heard: list[str] = []
    for name in QUEUES:
        monkeypatch.setattr(lookers._bells[name], "ring", lambda name=name: heard.append(name))
    found, glances = lookers._standing.waiting_at, []

    def glanced() -> list[str]:
        glances.append(found())
        return glances[-1]

    monkeypatch.setattr(lookers._standing, "waiting_at", glanced)

    client = RunClient(settings)
    params = tiny.TinyParams(ledger="none").model_dump()
    client.start("run-waits", WORKFLOWS["tiny"], params, actor="tester")
    client.close()
    engine.poll_every(0.02)
    until(lambda: glances[-3:] == [["runs"]] * 3, what="it is seen to wait")
    assert heard == []

    at_work[0].release()
    until(lambda: heard.count("runs") > 1, what="glances see it")
    assert set(heard) == {"runs"}


@pytest.mark.parametrize(
    ("error", "is_told"),
    [(sqlite3.OperationalError("database is locked"), False), (TypeError("a defect"), True)],
)
def test_a_glance_that_fails_is_followed_by_the_next(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    is_told: bool,
) -> None:
    engine.launch("glancer", settings, _never)
    (lookers,) = engine._lookers
    found, n_asked = lookers._standing.waiting_at, 0

    def fails_first() -> list[str]:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 1:
            raise error
        return [*found(), "monitors"]

    rung = threading.Event()
    monkeypatch.setattr(lookers._standing, "waiting_at", fails_first)
    monkeypatch.setattr(lookers._bells["monitors"], "ring", rung.set)
    engine.poll_every(0.02)
    assert rung.wait(LIMIT_S)
    assert n_asked > 1
    assert ("TypeError: a defect" in caplog.text) == is_told


@pytest.mark.parametrize("question", ["waiting_at", "owners", "has_any"])
def test_what_is_asked_many_times_a_second_reads_an_index_and_not_the_history(
    settings: Settings, question: str
) -> None:
    engine.launch("asker", settings, _never)
    (standing,) = engine._standing
    asked: list[tuple[str, Any]] = []
    asking = threading.get_ident()

    def note(_: object, __: object, statement: str, given: Any, *___: object) -> None:
        if threading.get_ident() == asking:  # the engine's own threads ask the same database
            asked.append((statement, given))

    listening = (standing._engine, "before_cursor_execute", note)
    event.listen(*listening)
    try:
        getattr(standing, question)()
    finally:
        event.remove(*listening)
    with closing(sqlite3.connect(settings.home / "workflows.db")) as connection:
        plans = [
            str(row[3])
            for statement, given in asked
            if "workflow_status" in statement
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)
        ]

    read = [plan for plan in plans if "workflow_status" in plan]
    assert read
    assert all(re.search("INDEX idx_workflow_status_(in_flight|pending)", x) for x in read), plans
