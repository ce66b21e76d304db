"""The notes of workers that share a database: rows of it beside their leases."""

import json
from collections.abc import Mapping

from sqlalchemy import delete, insert, inspect, select, update

from ml_orchestrator.orchestration.notes import STOP, Note
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.storage.schema import worker_leases
from ml_orchestrator.storage.schema import worker_notes as table

__all__ = ["SharedNotes"]


_HOME = "home_id"  # by this name a note has the data directory of its worker


class SharedNotes:
    """The notes of a data directory's workers (``orchestration.notes.Notes``). Thread-safe.

    Those of the first releases do not say whose they are; they count as everybody's.

    Args:
        rows: The state database.
        home_id: The data directory of this process.
    """

    def __init__(self, rows: Rows, home_id: str) -> None:
        self._rows = rows
        self._home_id = home_id

    def begin(self, executor_id: str, began_with: Mapping[str, str]) -> None:
        """Note what this worker began with, and forget those of ours that have no lease any more.

        Those of other data directories stay: they say there that a person stopped a worker.
        """
        text = json.dumps({**began_with, _HOME: self._home_id})
        row = {"executor_id": executor_id, "began_with": text, "is_asked": 0}
        has_no_lease = table.c.executor_id.not_in(select(worker_leases.c.executor_id))
        with self._rows() as connection:
            left = connection.execute(select(table).where(has_no_lease)).all()
            gone = [each.executor_id for each in left if self._is_ours(each.began_with)]
            connection.execute(delete(table).where(table.c.executor_id.in_(gone) & has_no_lease))
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
        """Return those of ours by worker; none in a database of a release that made none."""
        with self._rows() as connection:
            if not inspect(connection).has_table(table.name):
                return {}
            rows = connection.execute(select(table)).all()
        return {row.executor_id: _note(*row) for row in rows if self._is_ours(row.began_with)}

    def _is_ours(self, began_with: str) -> bool:
        return json.loads(began_with).get(_HOME) in (None, self._home_id)


def _note(executor_id: str, text: str, asked: int) -> Note:
    began_with = {name: value for name, value in json.loads(text).items() if name != _HOME}
    return Note(executor_id, began_with, asked)
