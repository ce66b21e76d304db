"""Approval steps of a run, asked for at the client while somebody waits for the run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.client.session import ElicitationFnT
from tests.orchestration.test_pipeline_performing import unit_of
from tests.tools.test_approval_tools import Era, os_user, person, session

from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.launch import WorkerLauncher
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines.approving import PipelineApprovals
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

UNIT = replace(unit_of("approval", {"question": "Go on?"}), step="ask", version=0)


class Waiting:
    """A data directory with a run that waits for a person, as its worker has asked."""

    def __init__(self, home: Path, database: Database) -> None:
        self.home = home
        self._database = database
        settings = Settings.read({}, home=home, project_dir=home.parent)
        steps = {"ask": {"uses": "approval", "with": {"question": "Go on?"}}}
        planned = plan_pipeline({"name": "tested", "steps": steps}, {}, settings)
        client = RunClient(settings)
        client.start_pipeline("run-1", planned, actor="tester")
        client.close()
        self.id = PipelineApprovals(database).ask(UNIT).id

    @property
    def approval(self) -> Approval:
        return open_approvals(self._database).find(self.id)

    async def status(
        self, era: Era, answer: ElicitationFnT | None, *waits: float
    ) -> dict[str, Any]:
        """Ask for the run's status in one session, once for each wait; return the last."""
        async with session(self.home, era, answer) as client:
            for wait_s in waits:
                found = await client.call_tool(
                    "workflow_status", {"run_id": "run-1", "wait_s": wait_s}
                )
                assert not found.is_error, found
        return dict(found.structured_content or {})


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    monkeypatch.setattr(WorkerLauncher, "ensure", lambda _: None)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    database = open_database(f"sqlite:///{home / 'state.db'}", home)
    yield Waiting(home, database)
    database.close()


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
@pytest.mark.parametrize(("approve", "state"), [(True, "approved"), (False, "rejected")])
async def test_who_waits_for_a_run_has_its_person_asked_once(
    waiting: Waiting, era: Era, approve: bool, state: str
) -> None:
    answer, asked = person("accept", approve=approve, reason="looked at it")

    status = await waiting.status(era, answer, 0, 0.05, 0.05)

    assert status["state"] == "queued"
    assert len(asked) == 1
    assert "Run run-1 of pipeline 'tested', step 'ask': Go on?" in asked[0]
    decided = waiting.approval
    assert (decided.state, decided.decided_via) == (state, "elicitation")
    assert (decided.decided_by, decided.reason) == (f"{os_user()}, asked by mcp", "looked at it")


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_a_question_that_was_closed_is_left_to_the_terminal(
    waiting: Waiting, era: Era
) -> None:
    answer, asked = person("cancel")
    await waiting.status(era, answer, 0.05, 0.05)
    assert (len(asked), waiting.approval.state) == (1, "pending")


async def test_a_client_that_cannot_ask_waits_as_before(waiting: Waiting) -> None:
    assert (await waiting.status("2026-07-28", None, 0.05))["state"] == "queued"
    assert waiting.approval.state == "pending"
