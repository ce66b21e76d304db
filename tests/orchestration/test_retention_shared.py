"""Where data directories share a Postgres, each removes its own runs only."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.conftest import new_postgres_url
from tests.orchestration.past_runs import RULES

from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.pipelines.scheduling import PipelineSchedules
from ml_orchestrator.orchestration.retention import folders
from ml_orchestrator.orchestration.retention.rules import DAY_S, KeepRules, Pruned
from ml_orchestrator.orchestration.retention.walk import Pass
from ml_orchestrator.orchestration.schedules import Cadence
from ml_orchestrator.orchestration.sharing.homes import RunHomes
from ml_orchestrator.orchestration.steps._base import run_folder
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database


class Directory:
    """A data directory on the shared database."""

    def __init__(self, home: Path, url: str, pool: str | None) -> None:
        home.mkdir()
        given: dict[str, Any] = {"database_url": url, "worker_pool": pool}
        self.settings = Settings.read({}, home=home, project_dir=home, **given)
        self.client = RunClient(self.settings)
        self.database = open_database(self.settings.state_url, home)
        self.homes = RunHomes(self.settings, self.database)

    def close(self) -> None:
        self.client.close()
        self.database.close()

    def old(self, run_id: str, *, days: float = 100, has_files: bool = True) -> None:
        """Have a run that was cancelled so long ago."""
        self.client.start(run_id, WORKFLOWS["train"], {}, actor="tester")
        self.client.cancel(run_id)
        at_s = time.time() - days * DAY_S
        status = self.client._client._sys_db.tables.workflow_status
        change = (
            update(status)
            .where(status.c.workflow_uuid == run_id)
            .values(created_at=int(at_s * 1000), updated_at=int(at_s * 1000))
        )
        with self.client._client._sys_db.engine.begin() as connection:
            connection.execute(change)
        if has_files:
            os.utime(run_folder(self.settings, run_id), (at_s, at_s))
            self.homes.settle(run_id)

    def pruned(self, rules: KeepRules = RULES) -> Pruned:
        with closing(History(self.settings)) as history:
            return Pass(self.settings, self.database, history, rules).run()

    def known(self) -> set[str]:
        return {run.run_id for run in self.client.runs(limit=100, cursor=None).runs}


@contextmanager
def _two(tmp_path: Path, url: str, pool: str | None) -> Iterator[tuple[Directory, Directory]]:
    with (
        closing(Directory(tmp_path / "left", url, pool)) as left,
        closing(Directory(tmp_path / "right", url, pool)) as right,
    ):
        yield left, right


@pytest.mark.parametrize("pool", [None, "team"])
def test_a_directory_removes_its_own_runs_and_counts_the_newest_among_them(
    tmp_path: Path, postgres_server: str, pool: str | None
) -> None:
    with _two(tmp_path, new_postgres_url(postgres_server), pool) as (left, right):
        left.old("run-1x", days=120)
        left.old("run-2x", days=110)
        left.old("run-3x", days=105, has_files=False)
        right.old("run-4x", days=101)
        right.old("run-5x", has_files=False)

        assert None not in (left.homes.of("run-1x"), left.homes.of("run-4x"))

        assert left.pruned(replace(RULES, least=2)).n_runs == 1
        assert left.known() == {"run-2x", "run-3x", "run-4x", "run-5x"}
        assert left.pruned().n_runs == 2
        assert left.known() == {"run-4x", "run-5x"}
        assert left.homes.of("run-1x") is None
        assert left.homes.of("run-4x") is not None
        assert (right.settings.home / "runs" / "run-4x").is_dir()


def test_a_run_that_is_resumed_elsewhere_as_it_is_removed_stays_whole(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up = folders.give_up
    with _two(tmp_path, new_postgres_url(postgres_server), None) as (left, right):
        left.old("run-1x")

        def meanwhile(home: Path, run_id: str, *, at_ms: int) -> folders.GivenUp | None:
            given_up = give_up(home, run_id, at_ms=at_ms)
            assert right.client.resume(run_id).state == "queued"
            return given_up

        monkeypatch.setattr(folders, "give_up", meanwhile)

        assert left.pruned().n_runs == 0
        assert left.client.status("run-1x").state == "queued"
        assert (left.settings.home / "runs" / "run-1x").is_dir()
        assert left.homes.of("run-1x") is not None


def test_folders_of_runs_of_the_file_that_was_used_before_stay(
    tmp_path: Path, postgres_server: str
) -> None:
    with _two(tmp_path, new_postgres_url(postgres_server), None) as (left, _):
        os.utime(run_folder(left.settings, "run-of-the-file"), (0, 0))
        file = left.settings.home / "workflows.db"
        file.touch()
        assert left.pruned().n_folders == 0
        file.unlink()
        assert left.pruned().n_folders == 1


def test_what_a_pipeline_that_another_directory_has_scheduled_needs_stays(
    tmp_path: Path, postgres_server: str
) -> None:
    with _two(tmp_path, new_postgres_url(postgres_server), None) as (left, right):
        left.old("run-1x")
        left.old("run-2x")
        right.old("run-3x")
        step = {"uses": "require", "with": {"value": 1.0, "why": "as in runs/run-1x/model"}}
        spec = {"name": "nightly", "steps": {"look": step}}
        scheduled = PipelineSchedules(right.settings, right.database)
        planned = plan_pipeline(spec, {}, right.settings)
        scheduled.put(planned, {}, Cadence(every_s=3600), owner="ann")

        found = left.pruned()
        assert (found.n_named, found.n_runs) == (1, 1)
        assert (left.settings.home / "runs" / "run-1x").is_dir()
        assert left.known() == {"run-1x", "run-3x"}

        scheduled.remove("nightly", actor="ann")
        assert left.pruned().n_runs == 1
        assert left.known() == {"run-3x"}
