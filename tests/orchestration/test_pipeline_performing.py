"""Doing units in this process: how many begin at once, and what is too large to be recorded."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.test_pipeline_executing import Log, plan_of

from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.events.kinds import MessageSent
from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.orchestration.pipelines.admission import Admission
from ml_orchestrator.orchestration.pipelines.executing import carry_out
from ml_orchestrator.orchestration.pipelines.performing import Performer
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit
from ml_orchestrator.orchestration.steps.tell import mailbox_of_pipelines
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

PROFILED: dict[str, Any] = {
    "n_rows": 1,
    "n_columns": 1,
    "duplicate_rows": 0,
    "target": None,
    "task": None,
    "digest": "",
    "n_leakage_suspects": 0,
    "warnings": [],
}


def unit_of(uses: str, inputs: dict[str, Any], *, item: int | None = None, **more: Any) -> Unit:
    return Unit(
        run_id="run-1",
        pipeline="tested",
        digest="d" * 64,
        actor="tester",
        step="one",
        item=item,
        attempt=1,
        run_attempt=1,
        uses=uses,
        version=1,
        inputs=inputs,
        **more,
    )


class Desk:
    """A performer with two cores whose steps are counted and not run."""

    def __init__(self, home: Path, database: Database) -> None:
        settings = Settings.read({}, home=home, project_dir=home)
        self.performer = Performer(
            settings, database, self._execute, Admission(cpu=2, memory_mb=1_000)
        )
        self.output: dict[str, Any] = {}
        self.most = self._now = self.n_done = 0

    async def _execute(self, job: Job) -> dict[str, Any]:
        self._now += 1
        self.most = max(self.most, self._now)
        for _ in range(20):
            await asyncio.sleep(0.001)
        self._now, self.n_done = self._now - 1, self.n_done + 1
        return self.output

    async def all_of(self, units: list[Unit]) -> list[dict[str, Any]]:
        return await asyncio.gather(*map(self.performer.perform, units))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def desk(tmp_path: Path, database: Database) -> Desk:
    return Desk(tmp_path, database)


@pytest.mark.parametrize(
    ("more", "at_once"), [({}, 2), ({"cpu": 0.5}, 4), ({"cpu": 0.0, "memory_mb": 400.0}, 2)]
)
async def test_no_more_steps_read_data_at_once_than_there_are_cores(
    desk: Desk, more: dict[str, Any], at_once: int
) -> None:
    desk.output = PROFILED
    asked = {"source": "builtin:iris"}
    found = await desk.all_of([unit_of("profile", asked, item=n, **more) for n in range(12)])

    assert found == [{"output": PROFILED}] * 12
    assert (desk.most, desk.n_done) == (at_once, 12)


async def test_a_deployment_that_waits_keeps_no_core_from_others(desk: Desk) -> None:
    desk.output = {"rollout_id": "rollout-1", "state": "promoted", "reason": None}
    asked = {"model": "shop", "version": 1}
    await desk.all_of([unit_of("deploy", asked, item=n) for n in range(5)])

    assert desk.most == 5


async def test_who_waits_for_messages_hears_that_a_run_failed(
    desk: Desk, database: Database
) -> None:
    is_told = await desk.performer.tell_failure("run-1", "tested", "performance-engineer", "Why.")
    (published,) = EventLog(database).last(limit=10)

    assert is_told
    assert published.name == MessageSent.event_kind.name
    assert json.loads(published.payload)["readers"] == ["performance-engineer"]


async def test_however_long_a_fault_is_the_word_says_how_the_run_goes_on(
    desk: Desk, database: Database
) -> None:
    why = "The table has no such column. " * 1_000
    await desk.performer.tell_failure("run-1", "tested", "performance-engineer", why)

    (message,) = mailbox_of_pipelines(database).inbox("performance-engineer").messages
    assert message.content.endswith(
        "has no… Once that is mended, `ml-orchestrator runs resume run-1` goes on where it is not "
        "done."
    )


async def test_inputs_that_refer_to_one_long_output_often_are_refused(desk: Desk) -> None:
    output = {"rows": ["x" * 1_000] * 250}
    asked = {"candidates": [output] * 2_000, "by": "score"}
    (found,) = await desk.all_of([unit_of("pick_best", asked)])

    assert found["is_final"]
    assert "The inputs of 'pick_best' would have more than 4,000,000 bytes." in found["error"]
    assert desk.n_done == 0


async def test_a_result_that_refers_to_one_long_output_often_fails_the_run() -> None:
    plan = plan_of({"one": {"uses": "note", "with": {}}})
    plan["pipeline"]["spec"]["outputs"] = {"many": ["${steps.one.output}"] * 2_000}
    log = Log({"one": {"output": "x" * 250_000}}, seed=0)

    with pytest.raises(StepFailedError, match=r"The result would have more than 4,000,000 bytes"):
        await carry_out(StoredPlan.of(plan), run_id="run", run_attempt=1, reserve=log.reserve)
