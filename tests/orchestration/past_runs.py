"""A data directory with runs of the past: recorded by the real engine, then made old."""

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration._dbos import engine
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.orchestration.models import RunProgress
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.retention.rules import DAY_S, KeepRules, Pruned
from ml_orchestrator.orchestration.retention.walk import Pass
from ml_orchestrator.orchestration.steps._base import run_folder
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database, timestamp
from ml_orchestrator.storage.schema import monitors

__all__ = ["RULES", "PastWorld"]

RULES = KeepRules(runs_s=90 * DAY_S, by_itself_s=30 * DAY_S, least=0)
LIMIT_S = 30.0


async def _done(job: Job) -> dict[str, Any]:
    """Stand for a step of the catalogue; ``fail`` among the parameters names one that fails."""
    if job.params.get("fail") == job.step:
        raise StepFailedError("It was told to fail.")
    return {"model": "m", "version": 1, "look": "good"}


class PastWorld:
    """Runs, their folders and their reports; what is old is so by its rows and its files."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read({}, home=home, project_dir=home)
        self.client = RunClient(self.settings)
        self.database = open_database(self.settings.state_url, home)

    def close(self) -> None:
        self.client.close()
        self.database.close()

    def run_all(self) -> None:
        """Let the engine carry out what is queued."""
        engine.launch(uuid.uuid4().hex, self.settings, _done)
        try:
            engine.poll_every(0.02)
            engine.look_now()
            self._until(lambda: not any(self.client.depths().values()))
        finally:
            engine.shut_down()

    def queue(self, run_id: str, workflow: str = "train", **params: Any) -> str:
        self.client.start(run_id, WORKFLOWS[workflow], params, actor="tester")
        return run_id

    def give_files(self, run_id: str) -> Path:
        """Let a run have a folder and a report, as one that has worked."""
        folder = run_folder(self.settings, run_id)
        (folder / "model").write_bytes(b"x" * 1000)
        report = RunProgress(step="search", fraction=1, message="done", updated_at=timestamp())
        ProgressStore(self.database).put(run_id, report)
        return folder

    def watch(self, path: str) -> None:
        """Have a monitor that watches a file."""
        at = timestamp()
        row = {"name": "m", "owner": "ann", "is_paused": 0, "condition": "{}", "n_looks": 0}
        values = {**row, "spec": json.dumps({"watch": path}), "created_at": at, "updated_at": at}
        self.database.write(lambda c: c.execute(insert(monitors).values(**values)))

    def make_old(self, run_id: str, *, days: float) -> None:
        """Let a run have ended so long ago, with its files."""
        at_s = time.time() - days * DAY_S
        at_ms = int(at_s * 1000)
        with closing(sqlite3.connect(self.settings.home / "workflows.db")) as rows, rows:
            changed = rows.execute(
                "UPDATE workflow_status SET created_at = ?, updated_at = ?, completed_at = ? "
                "WHERE workflow_uuid = ?",
                (at_ms, at_ms, at_ms, run_id),
            )
            assert changed.rowcount == 1, run_id
        if (folder := self.settings.home / "runs" / run_id).is_dir():
            os.utime(folder, (at_s, at_s))

    def let_succeed(self, run_id: str) -> None:
        """Let a queued run be over, as if a worker had done it."""
        with closing(sqlite3.connect(self.settings.home / "workflows.db")) as rows, rows:
            rows.execute(
                "UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = ?", (run_id,)
            )

    def pruned(self, rules: KeepRules = RULES, *, is_trial: bool = False) -> Pruned:
        """Make one pass."""
        with closing(History(self.settings)) as history:
            return Pass(self.settings, self.database, history, rules, is_trial=is_trial).run()

    def known(self) -> set[str]:
        """Return the runs on record."""
        return {run.run_id for run in self.client.runs(limit=100, cursor=None).runs}

    def folders(self) -> set[str]:
        """Return the runs that have files."""
        return {path.name for path in (self.settings.home / "runs").glob("*")}

    def has_report(self, run_id: str) -> bool:
        return ProgressStore(self.database).latest(run_id) is not None

    def n_rows(self, run_id: str) -> int:
        """Return how many rows of any table of the workflow database are of a run."""
        with closing(sqlite3.connect(self.settings.home / "workflows.db")) as rows:
            tables = [
                name
                for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if any(c[1] == "workflow_uuid" for c in rows.execute(f"PRAGMA table_info({name})"))
            ]
            counted = (
                rows.execute(
                    f"SELECT count(*) FROM {table} WHERE workflow_uuid = ?",
                    (run_id,),
                ).fetchone()[0]
                for table in tables
            )
            return sum(counted)

    @staticmethod
    def _until(holds: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + LIMIT_S
        while not holds():
            if time.monotonic() > give_up_at:
                raise InvalidInputError("The runs did not end.")
            time.sleep(0.01)
