"""The notes of workers that share a database: rows of it beside their leases."""

import json
from collections.abc import Mapping

from sqlalchemy import delete, insert, inspect, select, update

from ml_orchestrator.orchestration.notes import STOP, Note
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.storage.schema import worker_leases
from ml_orchestrator.storage.schema import worker_notes as table

__all__ = ["SharedNotes"]


class SharedNotes:
    """The notes of all workers of a database (``orchestration.notes.Notes``). Thread-safe."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def begin(self, executor_id: str, began_with: Mapping[str, str]) -> None:
        """Note what this worker began with, and forget those that have no lease any more."""
        leases = select(worker_leases.c.executor_id)
        row = {"executor_id": executor_id, "began_with": json.dumps(began_with), "is_asked": 0}
        with self._rows() as connection:
            connection.execute(delete(table).where(table.c.executor_id.not_in(leases)))
            connection.execute(insert(table).values(row))

    def ask(self, executor_id: str, why: int = STOP) -> bool:
        """Ask a worker to leave; False if it noted nothing."""
        is_it = table.c.executor_id == executor_id
        with self._rows() as connection:
            return connection.execute(update(table).where(is_it).values(is_asked=why)).rowcount == 1

    def is_asked(self, executor_id: str) -> bool:
        """Whether a worker was asked to leave."""
        query = select(table.c.is_asked).where(table.c.executor_id == executor_id)
        with self._rows() as connection:
            return bool(connection.execute(query).scalar())

    def all(self) -> dict[str, Note]:
        """Return the notes by worker; none in a database of a release that made none."""
        with self._rows() as connection:
            if not inspect(connection).has_table(table.name):
                return {}
            rows = connection.execute(select(table)).all()
        return {
            row.executor_id: Note(row.executor_id, json.loads(row.began_with), row.is_asked)
            for row in rows
        }
