"""The step that a person does, in this process: asked once, whatever dies in between."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.orchestration.test_pipeline_performing import unit_of

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration import people
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.execution import Job
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines import performing
from ml_orchestrator.orchestration.pipelines.approving import PipelineApprovals
from ml_orchestrator.orchestration.pipelines.performing import Performer
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.registry.approvals import MAX_TEXT
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

LIMIT_S = 20.0
UNIT = replace(unit_of("approval", {"question": "Go on?"}), step="ask", version=0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    yield opened
    opened.close()


def test_a_person_is_not_asked_again_when_the_worker_dies_before_it_is_recorded(
    database: Database,
) -> None:
    dying, persons = PipelineApprovals(database), open_approvals(database)
    asked = dying.ask(UNIT)
    persons.decide(asked.id, "approved", decided_by="ann", via="terminal")
    before = dying.result(asked)
    next_worker = PipelineApprovals(database)
    again = next_worker.ask(UNIT)

    assert again.id == asked.id
    assert next_worker.result(again) == before
    assert before == {"output": {"approval_id": asked.id, "approved_by": "ann"}}
    assert persons.pending() == ()
    assert next_worker.ask(replace(UNIT, run_attempt=2)).id != asked.id


@pytest.mark.parametrize(("timeout_s", "lasts_s"), [(300, 301), (None, 86_400), (604_800, 604_801)])
def test_a_person_is_told_until_when_the_step_waits(
    database: Database, timeout_s: float | None, lasts_s: float
) -> None:
    asked = PipelineApprovals(database).ask(replace(UNIT, timeout_s=timeout_s))
    assert (asked.expires_at - asked.requested_at).total_seconds() == lasts_s


def test_the_next_worker_waits_anew_and_what_was_given_is_there_after_the_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, later_s = datetime.now(UTC), [0.0]

    def now(_: tzinfo) -> datetime:
        return began + timedelta(seconds=later_s[0])

    monkeypatch.setattr(people, "datetime", SimpleNamespace(now=now))
    unit = replace(UNIT, timeout_s=60.0)
    asked = PipelineApprovals(database).ask(unit)
    later_s[0] = 50.0  # the worker was killed, and the timer of the next begins now
    again = PipelineApprovals(database).ask(unit)
    later_s[0] = 109.0
    still = open_approvals(database).pending()
    open_approvals(database).decide(asked.id, "approved", decided_by="ann", via="terminal")
    later_s[0] = 3_600.0  # that one was killed, too
    last = PipelineApprovals(database)

    assert again.id == asked.id
    assert still == (again,)
    assert again.expires_at == began + timedelta(seconds=111)
    assert last.result(last.ask(unit)) == {
        "output": {"approval_id": asked.id, "approved_by": "ann"}
    }


@pytest.fixture
def performer(database: Database, tmp_path: Path) -> Performer:
    async def execute(job: Job) -> dict[str, Any]:
        raise AssertionError("nothing is to be executed")

    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    return Performer(settings, database, execute)


async def test_who_did_not_decide_in_time_is_asked_no_more_and_others_still_are(
    database: Database, performer: Performer
) -> None:
    late = replace(UNIT, item=1, inputs={"question": "Take 1?"}, timeout_s=0.3)
    other = replace(UNIT, item=10, inputs={"question": "Take 10?"})
    waiting = PipelineApprovals(database).ask(other)
    found = await performer.perform(late)
    persons = open_approvals(database)
    withdrawn = [each for each in persons.recent() if each.id != waiting.id]

    assert found == {"error": "Nobody decided within timeout_s (0.3 s)."}
    assert [(each.state, each.reason) for each in withdrawn] == [
        ("expired", "withdrawn: nobody decided")
    ]
    assert persons.pending() == (waiting,)


async def test_a_database_that_is_away_for_a_while_fails_no_step_that_waits_for_a_person(
    database: Database, performer: Performer, monkeypatch: pytest.MonkeyPatch
) -> None:
    away: list[Any] = [PipelineApprovals.ask, PipelineApprovals.result]  # each fails once

    def failing(usual: Any) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            if usual in away:
                away.remove(usual)
                raise UnavailableError("the server closed the connection")
            return usual(*given)

        return call

    for usual in tuple(away):
        monkeypatch.setattr(PipelineApprovals, usual.__name__, failing(usual))
    for name in ("LOOK_S", "LOOK_LATER_S"):
        monkeypatch.setattr(performing, name, 0.01)
    persons = open_approvals(database)
    doing = asyncio.create_task(performer.perform(UNIT))
    async with asyncio.timeout(LIMIT_S):
        while away or not persons.pending():  # noqa: ASYNC110 it is in no hurry
            await asyncio.sleep(0.01)
    (asked,) = persons.pending()
    persons.decide(asked.id, "approved", decided_by="ann", via="terminal")

    assert await doing == {"output": {"approval_id": asked.id, "approved_by": "ann"}}


def test_a_run_cancelled_without_a_worker_asks_nobody_any_more(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    asking = {"ask": {"uses": "approval", "with": {"question": "Go on?"}}}
    planned = plan_pipeline({"name": "tested", "steps": asking}, {}, settings)
    client = RunClient(settings)
    client.start_pipeline("run-1", planned, actor="tester")
    asked = PipelineApprovals(database).ask(UNIT)  # as the worker did that died since
    status = client.cancel("run-1")
    client.close()

    assert status.state == "cancelled"
    assert open_approvals(database).pending() == ()
    assert open_approvals(database).find(asked.id).reason == "withdrawn: the run was cancelled"


def test_a_person_sees_that_evidence_goes_on_and_no_hidden_characters(database: Database) -> None:
    asking = PipelineApprovals(database)
    long = asking.ask(replace(UNIT, inputs={"question": "Go on?", "evidence": "e" * 3_000}))
    odd = {"question": "\x1b[2K\u202e" * 200, "evidence": "\u200b" * 900}
    hidden = asking.ask(replace(UNIT, inputs=odd))
    short = asking.ask(replace(UNIT, inputs={"question": "Go on?", "evidence": [1, 2]}))

    assert long.summary.endswith("e [... 1,002 more characters]")
    assert short.summary.endswith("Go on? Evidence: [1, 2]")
    assert not set(hidden.summary) & set("\x1b\u202e\u200b")
    assert "\\x1b[2K\\u202e" in hidden.summary
    assert hidden.summary.count("more characters]") == 2
    assert len(hidden.summary) < MAX_TEXT
