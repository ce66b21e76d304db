"""When a monitor is due: one look is queued, and none beside one that is unfinished."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.monitors.starting import start
from ml_orchestrator.orchestration.schedules import Due
from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext
from ml_orchestrator.orchestration.workflows import Workflow
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


class Runs:
    """Runs that were queued; tests end them."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}

    def has(self, run_id: str) -> bool:
        return run_id in self.states

    def status(self, run_id: str) -> RunStatus:
        if run_id not in self.states:
            raise NotFoundError(f"No run named {run_id!r}.")
        at = NOON.isoformat()
        return RunStatus(
            run_id=run_id,
            workflow="monitor-look",
            state=self.states[run_id],
            actor="ann",
            created_at=at,
            updated_at=at,
            steps=[],
        )

    def start(
        self, run_id: str, workflow: Workflow, params: dict[str, Any], *, actor: str
    ) -> RunStatus:
        self.states.setdefault(run_id, "queued")
        return self.status(run_id)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    opened = open_database(settings.state_url, settings.home)
    yield opened
    opened.close()


def test_looks_do_not_pile_up_behind_one_that_is_unfinished(
    tmp_path: Path, database: Database
) -> None:
    runs = Runs()
    context = ScheduleContext(Settings.read({}, project_dir=tmp_path), database, lambda: runs)
    dues = [Due("monitor", "m", "ann", NOON, number, NOON.isoformat()) for number in range(1, 6)]

    for due in dues[:3]:
        start(context, due)
    assert list(runs.states) == [dues[0].run_id]
    start(context, dues[0])  # handed out again, it is still the same run
    runs.states[dues[0].run_id] = "running"
    start(context, dues[3])
    assert list(runs.states) == [dues[0].run_id]

    runs.states[dues[0].run_id] = "failed"
    start(context, dues[4])
    assert list(runs.states) == [dues[0].run_id, dues[4].run_id]
