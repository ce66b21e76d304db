"""How far a running step is: written by the step's process, read by those who wait."""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, delete, distinct, func, insert, select, update

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.models import RunProgress
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import run_progress as table

__all__ = ["ProgressStore", "Reporter"]

MIN_INTERVAL_S = 0.25
_log = logging.getLogger(__name__)


class ProgressStore:
    """The latest report of each step of each run, in the state database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, run_id: str, progress: RunProgress) -> None:
        """Replace the report of one step."""
        key = (table.c.run_id == run_id) & (table.c.step == progress.step)
        values = {
            "fraction": repr(progress.fraction),
            "message": progress.message,
            "numbers": json.dumps(progress.numbers),
            "updated_at": progress.updated_at,
        }

        def work(connection: Connection) -> None:
            if connection.execute(update(table).where(key).values(**values)).rowcount == 0:
                row = {"run_id": run_id, "step": progress.step, **values}
                connection.execute(insert(table).values(**row))

        self._database.write(work)

    def latest(self, run_id: str) -> RunProgress | None:
        """Return the newest report of a run, or None if no step has reported yet."""
        newest = self.newest_first(run_id, limit=1)
        return newest[0] if newest else None

    def newest_first(self, run_id: str, *, limit: int) -> list[RunProgress]:
        """Return the last report of each step of a run, newest first, at most ``limit``."""
        query = (
            select(table)
            .where(table.c.run_id == run_id)
            .order_by(table.c.updated_at.desc())
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [
            RunProgress(
                step=row.step,
                fraction=float(row.fraction),
                message=row.message,
                numbers=json.loads(row.numbers),
                updated_at=row.updated_at,
            )
            for row in rows
        ]

    def describe(self) -> str:
        """Return how many runs have reported, in a line for people."""
        n_runs = select(func.count(distinct(table.c.run_id)))
        found = self._database.read(lambda connection: connection.execute(n_runs).scalar_one())
        return f"{found} runs have reported"

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove all reports of runs."""
        gone = delete(table).where(table.c.run_id.in_(run_ids))
        self._database.write(lambda connection: connection.execute(gone))


class Reporter:
    """Stores a step's reports, a few per second at most; the first and the last always.

    While the database is away reports are lost, and the step goes on.
    """

    def __init__(
        self,
        store: ProgressStore,
        run_id: str,
        step: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._step = step
        self._clock = clock
        self._next_at = float("-inf")
        self._is_lost = False

    def __call__(
        self, fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None:
        """Store a report unless one was stored just before and this is not the last.

        Numbers that are not finite are left out.
        """
        now = self._clock()
        if now < self._next_at and fraction < 1:
            return
        self._next_at = now + MIN_INTERVAL_S
        progress = RunProgress(
            step=self._step,
            fraction=min(max(fraction, 0.0), 1.0),
            message=message,
            numbers={k: v for k, v in (numbers or {}).items() if math.isfinite(v)},
            updated_at=timestamp(),
        )
        try:
            self._store.put(self._run_id, progress)
        except UnavailableError as error:
            if not self._is_lost:
                _log.warning("How far step %s is cannot be told: %s", self._step, error)
            self._is_lost = True
        else:
            self._is_lost = False
