"""A study's trials and answers in a database, so that another machine goes on with the search.

What a search writes while it runs is put here beside its folder, or in its place. Whoever opens
a study takes it over: a process that had it before, and dies a little later, can add nothing more.
"""

import json
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from ml_orchestrator.errors import ConflictError, UnavailableError
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import study_files, study_lines
from ml_orchestrator.storage.whole_files import write_whole

__all__ = ["StudyShelf", "forget_files", "forget_studies"]

AT_ONCE = 500  # ids in one statement
TAKEN_OVER = ""  # a line
_log = logging.getLogger(__name__)


class StudyShelf:
    """The log and the files of one study; used by one thread.

    Meets what Optuna's journal storage asks of a place for its log. What is added is kept by
    ``flush``, together and whole; while the database is away, by a later one.
    """

    def __init__(self, database: Database, run_id: str, place: str = "") -> None:
        self._database = database
        self._key = {"run_id": run_id, "place": place}
        lines = database.write(self._take_over)
        self._logs = [json.loads(line) for line in lines if line != TAKEN_OVER]
        self._n_kept, self._n_lines = len(self._logs), len(lines) + 1
        self._owed: dict[str, bytes | None] = {}

    @property
    def is_new(self) -> bool:
        """Whether nothing has been logged."""
        return not self._logs

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """Return what was logged, from this number on."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: Sequence[dict[str, Any]]) -> None:
        """Log something; ``flush`` keeps it."""
        self._logs.extend(json.loads(json.dumps(log)) for log in logs)

    def put(self, name: str, content: bytes) -> None:
        """Take a file of the study's folder; ``flush`` keeps it."""
        self._owed[name] = content

    def drop(self, name: str) -> None:
        """Let a file go; ``flush`` removes it."""
        self._owed[name] = None

    def flush(self) -> None:
        """Keep what was added. If the database is away it is kept by a later call.

        Raises:
            ConflictError: another process has taken the study over.
        """
        fresh = [json.dumps(log) for log in self._logs[self._n_kept :]]
        if not fresh and not self._owed:
            return
        try:
            self._database.write(lambda connection: self._write(connection, fresh))
        except UnavailableError as error:
            if isinstance(error.__cause__, IntegrityError):
                if self._has_kept(fresh):  # the word that it was written had been lost
                    self.flush()
                    return
                raise ConflictError(
                    f"Another process goes on with the search of run {self._key['run_id']}; "
                    "this one has lost it. Look at the run again."
                ) from error
            _log.warning("The trials so far are not in the database yet: %s", error)
            return
        self._n_kept += len(fresh)
        self._n_lines += len(fresh)
        self._owed.clear()

    def restore(self, folder: Path) -> None:
        """Write the files that ``folder`` lacks."""
        query = select(study_files.c.name, study_files.c.content).where(*self._of(study_files))
        for name, content in self._database.read(lambda c: c.execute(query).all()):
            path = folder.joinpath(*PurePosixPath(name).parts)
            if path.resolve().is_relative_to(folder.resolve()) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, bytes(content))

    def _write(self, connection: Connection, fresh: Sequence[str]) -> None:
        files = study_files
        if self._owed:
            named = files.c.name.in_(list(self._owed))
            connection.execute(delete(files).where(*self._of(files), named))
        rows = [
            {**self._key, "name": name, "content": content}
            for name, content in self._owed.items()
            if content is not None
        ]
        if rows:
            connection.execute(insert(files), rows)
        lines = [
            {**self._key, "number": number, "line": line}
            for number, line in enumerate(fresh, self._n_lines)
        ]
        if lines:
            connection.execute(insert(study_lines), lines)

    def _has_kept(self, fresh: Sequence[str]) -> bool:
        """Count in what an earlier call has written after all; False if it is another's."""
        table = study_lines
        query = select(table.c.line).where(*self._of(table), table.c.number >= self._n_lines)
        ordered = query.order_by(table.c.number)
        there = list(self._database.read(lambda c: c.execute(ordered).scalars().all()))
        if not there or there != list(fresh[: len(there)]):
            return False
        self._n_kept += len(there)
        self._n_lines += len(there)
        return True

    def _take_over(self, connection: Connection) -> Sequence[str]:
        """Return the lines, and add one that its owner so far would have to write over."""
        table = study_lines
        query = select(table.c.line).where(*self._of(table)).order_by(table.c.number)
        lines = connection.execute(query).scalars().all()
        row = {**self._key, "number": len(lines), "line": TAKEN_OVER}
        connection.execute(insert(table).values(row))
        return lines

    def _of(self, table: Table) -> list[ColumnElement[bool]]:
        return [table.c[name] == value for name, value in self._key.items()]


def forget_files(database: Database, run_id: str, place: str = "") -> None:
    """Forget the files of a study whose search has ended where it stays from now on.

    While the database is away they stay, until the run is removed.
    """
    files = study_files
    here = delete(files).where(files.c.run_id == run_id, files.c.place == place)
    try:
        database.write(lambda connection: connection.execute(here))
    except UnavailableError as error:
        _log.warning("Files of a search stay until its run is removed: %s", error)


def forget_studies(database: Database, run_ids: Collection[str]) -> None:
    """Forget the trials of runs that are removed; ``run_ids`` are those of first attempts.

    Raises:
        UnavailableError: the state database cannot be used.
    """
    wanted = sorted(set(run_ids))

    def removal(table: Table) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            for start in range(0, len(wanted), AT_ONCE):
                part = wanted[start : start + AT_ONCE]
                connection.execute(delete(table).where(table.c.run_id.in_(part)))

        return work

    for table in (study_lines, study_files) if wanted else ():
        database.write(removal(table))
