"""What engines tell of themselves becomes events, and what follows from events happens once."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.events.kettles import LIMIT_S, World

from ml_orchestrator.app import build_services
from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.health.monitors.models import Look, Verdict, read_spec
from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight
from ml_orchestrator.memory.requests import Selection
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.messaging.leases import LeaseBook
from ml_orchestrator.orchestration.announcing import (
    MailAnnouncer,
    announce_lease,
    announce_memory,
)
from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.events.kinds import SearchFinished
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.orchestration.pipelines.telling import tell_failure
from ml_orchestrator.orchestration.reactions import open_bus
from ml_orchestrator.orchestration.run_news import RunNews
from ml_orchestrator.orchestration.statuses import GIVEN_UP
from ml_orchestrator.orchestration.steps.tell import AGENTS
from ml_orchestrator.settings import Settings

FOUND = SearchFinished(
    run_id="run-1", actor="ml-orchestrator", area="training_optimization",
    insight="On iris forests did best of 20 trials.", impact="medium", confidence=0.9,
)  # fmt: skip
PLAN = {"workflow": "train", "actor": "ml-orchestrator"}


def told(world: World) -> list[tuple[str, str, Any]]:
    return [(e.name, e.key, json.loads(e.payload)) for e in world.log.after(0)]


def test_messages_are_told_of_with_who_reads_them_and_not_with_what_they_say(
    world: World,
) -> None:
    box = SqlMailbox(world.database, shipped=("ada", "bob"), news=MailAnnouncer(world.outbox))
    sent = box.send("ada", message_type="insight", content="secret", target_agents=["bob"])
    box.acknowledge("bob", [sent.message_id])
    box.acknowledge("bob", [sent.message_id])
    with pytest.raises(NotFoundError):
        box.send("ada", message_type="insight", content="secret", target_agents=["carol"])

    thread = f"thread:{sent.thread_id}"
    message = {
        "message_id": sent.message_id, "thread_id": sent.thread_id, "from_agent": "ada",
        "readers": ["bob"], "expires_at": None,
    }  # fmt: skip
    assert told(world) == [
        ("message.sent", thread, message),
        ("message.acknowledged", "inbox:bob", {"agent": "bob", "threads": [sent.thread_id]}),
        ("letter.buried", "dead-letter:ada", {"from_agent": "ada"}),
    ]


def test_memory_and_leases_tell_of_changes_once(world: World) -> None:
    memory = SqlMemoryStore(world.database, changed=announce_memory(world.outbox))
    learnt = Insight(area="a", insight="b", impact="low", confidence=0.5)
    for _ in range(2):
        memory.save("ada", insights=[learnt], idempotency_key="one")
    chosen = Selection(of_agent="ada")
    digest = memory.plan_forgetting(chosen).digest
    memory.forget(chosen, digest=digest, actor="bob", reason="it is wrong")
    leases = LeaseBook(world.database, changed=announce_lease(world.outbox))
    lease = leases.set("ada", "model:churn", ttl_s=60)

    assert told(world) == [
        ("memory.changed", "memory:ada", {"agent": "ada"}),
        ("memory.changed", "memory:ada", {"agent": "ada"}),
        (
            "lease.changed",
            "lease:model:churn",
            {"resource": "model:churn", "holder": "ada", "expires_at": lease.expires_at},
        ),
    ]


async def test_runs_are_told_of_once_however_often_they_are_taken_over(world: World) -> None:
    news = RunNews(world.database)
    for _ in range(2):
        await news.started("run-1", PLAN)
        await news.finished("run-1", PLAN, {"stopped_because": "no drift"})
    await news.failed("run-2", PLAN, StepFailedError("the disk is full"))
    await news.failed("run-3", PLAN, KeyError("a defect"))
    for _ in range(2):
        news.given_up("run-4", PLAN, at_ms=1)

    who = {"workflow": "train", "actor": "ml-orchestrator"}
    assert [each for each in told(world) if each[0].startswith("run.")] == [
        ("run.started", "run:run-1", {"run_id": "run-1", **who}),
        ("run.finished", "run:run-1", {"run_id": "run-1", **who, "stopped_because": "no drift"}),
        ("run.failed", "run:run-2", {"run_id": "run-2", **who, "error": "the disk is full"}),
        ("run.failed", "run:run-3", {"run_id": "run-3", **who, "error": "It failed unexpectedly."}),
        ("run.failed", "run:run-4", {"run_id": "run-4", **who, "error": GIVEN_UP}),
    ]


def test_an_agent_hears_that_its_pipeline_was_given_up(world: World) -> None:
    plan = {**PLAN, "pipeline": {"spec": {"name": "p"}}}
    for at_ms in (1, 1, 2):  # the first is found by two workers; then it was resumed
        RunNews(world.database).given_up("run-5", plan, at_ms=at_ms)
    who = {"run_id": "run-5", "name": "p", "actor": "ml-orchestrator"}
    assert tell_failure(world.database, **who, kind="pipeline", why="Resumed again, it failed.")

    first, second, ordinary = (
        message.content
        for message in SqlMailbox(world.database, shipped=AGENTS).inbox("ml-orchestrator").messages
    )
    assert first == second
    assert GIVEN_UP in first
    assert "`ml-orchestrator runs resume run-5`" in first
    assert "Resumed again, it failed." in ordinary
    assert [name for name, *_ in told(world) if name.startswith("run.")] == ["run.failed"] * 2


async def test_an_agent_hears_once_that_its_training_failed_and_of_each_next_attempt(
    world: World,
) -> None:
    news, error = RunNews(world.database), StepFailedError("The file is gone.")
    for _ in range(2):  # as after a crash before the end was recorded
        await news.failed("run-7", PLAN, error)
    await news.failed("run-7.2", PLAN, error)
    news.given_up("run-8", PLAN, at_ms=1)
    for other in ({"actor": "ann"}, {"workflow": "monitor-look"}, {"workflow": "roll-out"}):
        await news.failed("run-9", {**PLAN, **other}, error)
    messages = SqlMailbox(world.database, shipped=AGENTS).inbox("ml-orchestrator").messages

    assert [(m.from_agent, m.priority, m.metadata) for m in messages] == [
        ("workflow", "high", {"run_id": run_id, "workflow": "train"})
        for run_id in ("run-7", "run-7.2", "run-8")
    ]
    assert messages[0].content == (
        "Run run-7 of workflow 'train' failed and is not tried again by itself. The file is gone. "
        "Once that is mended, `ml-orchestrator runs resume run-7` goes on where it is not done."
    )
    assert GIVEN_UP in messages[2].content


def test_that_a_run_was_given_up_is_logged_once_and_not_told_while_that_cannot_be_done(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plan = {**PLAN, "pipeline": {"spec": {"name": "p"}}}

    def refuse(*_: object, **__: object) -> None:
        raise UnavailableError("the database is away")

    with monkeypatch.context() as away:
        away.setattr(EventLog, "publish", refuse)
        with pytest.raises(UnavailableError):
            RunNews(world.database).given_up("run-6", PLAN, at_ms=1)
    for broken in ({}, {**PLAN, "pipeline": {}}):
        with pytest.raises(KeyError):
            RunNews(world.database).given_up("run-6", broken, at_ms=1)
    caplog.clear()
    for _ in range(2):  # as two workers that are started one after the other
        RunNews(world.database).given_up("run-6", plan, at_ms=1)

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert [name for name, *_ in told(world) if name.startswith("run.")] == ["run.failed"]


def test_what_a_search_found_is_remembered_once_by_who_asked(
    sqlite_world: World, tmp_path: Path
) -> None:
    settings = Settings.read({}, project_dir=tmp_path, home=tmp_path)
    world = sqlite_world
    world.log.publish(world.outbox, FOUND, id="run-1-search")
    memory = SqlMemoryStore(world.database)
    bus = open_bus(settings, world.database, role="test")
    wait_until_done(bus, 1)
    world.dead.rewind("search-memories", 0)
    wait_until_done(bus, 2)
    bus.close()

    (kept,) = memory.load("ml-orchestrator").optimization_insights
    assert (kept.insight, kept.area) == (FOUND.insight, FOUND.area)


def test_an_alert_is_told_of_when_it_opens_and_when_it_is_over(world: World) -> None:
    store = open_monitors(world.database)
    given = {"watch": "now.csv", "reference": "before.csv", "quality": {}, "resolve_after": 1}
    store.put("sales", read_spec(given), owner="ada", is_paused=False)
    verdicts: tuple[Verdict, ...] = ("bad", "bad", "bad", "good")
    for number, verdict in enumerate(verdicts):
        look = Look(at=f"2026-01-01T00:0{number}:00+00:00", verdict=verdict, summary="x moved")
        store.record("sales", look, run_id=f"run-{number}")
    (alert,) = store.alerts("sales")

    who = {"alert_id": alert.alert_id, "monitor": "sales", "owner": "ada"}
    assert told(world) == [
        ("alert.opened", "alert:sales", {**who, "kind": "finding", "summary": "x moved"}),
        ("alert.resolved", "alert:sales", who),
    ]


async def test_drift_that_was_found_is_told_of_and_what_did_not_drift_is_not(
    sqlite_world: World, tmp_path: Path
) -> None:
    settings = Settings.read({}, project_dir=tmp_path, home=tmp_path)
    drift = build_services(settings).monitoring.drift
    same: list[float | str | None] = [float(n) for n in range(100)]
    other: list[float | str | None] = [float(n + 500) for n in range(100)]
    await drift({"x": same}, {"x": same}, DriftOptions())
    await drift({"x": same}, {"x": other}, DriftOptions())

    inline = "values in the call"
    found = {"reference": inline, "current": inline, "share_drifted": 1.0, "columns": ["x"]}
    assert told(sqlite_world) == [("drift.found", f"drift:{inline}", {**found, "model": None})]


def wait_until_done(bus: BusThread, n: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while "0 waiting" not in bus.describe() or bus.bus.figures()[0][0].counts["done"] < n:
        assert time.monotonic() < deadline, bus.describe()
        time.sleep(0.01)


def test_a_server_that_may_only_read_carries_nothing_out(
    sqlite_world: World, tmp_path: Path
) -> None:
    settings = Settings.read({}, project_dir=tmp_path, home=tmp_path, mode="read-only")
    bus = open_bus(settings, sqlite_world.database, role="test")
    assert bus.bus.figures() == []
    assert bus.describe() == "0 listening, 0 dead letters"
    bus.close()
