"""What workers note about themselves beside their leases, and that one was asked to leave."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ml_orchestrator.errors import UnavailableError

__all__ = ["MAKE_ROOM", "PLANS", "STOP", "FileNotes", "Note", "Notes"]

# Why a worker was asked to leave.
STOP, MAKE_ROOM = 1, 2
PLANS = "plans"  # by this name a worker notes which plans it carries out, in plain
WAIT_S = 2.0
_TABLE = """
    CREATE TABLE IF NOT EXISTS worker_notes (
        executor_id TEXT PRIMARY KEY, began_with TEXT NOT NULL, is_asked INTEGER NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one worker.

    Attributes:
        executor_id: The worker.
        began_with: By name what it began with, as ``beginnings`` has it.
        asked: Why it was asked to leave: 0 if it was not, ``STOP`` by a person, who says what
            follows, ``MAKE_ROOM`` for a worker of a newer release.
    """

    executor_id: str
    began_with: Mapping[str, str]
    asked: int

    @property
    def is_asked(self) -> bool:
        """Whether it was asked to leave."""
        return self.asked != 0

    @property
    def is_stopped(self) -> bool:
        """Whether none follows by itself."""
        return self.asked == STOP


class Notes(Protocol):
    """The notes of workers; each call is committed by itself.

    Raises:
        UnavailableError: from any of them, while the file or the database cannot be used.
    """

    def begin(self, executor_id: str, began_with: Mapping[str, str]) -> None:
        """Note what this worker began with, and forget workers that are no more."""
        ...

    def ask(self, executor_id: str, why: int = STOP) -> bool:
        """Ask a worker to leave; False if it noted nothing, and so would not see it."""
        ...

    def is_asked(self, executor_id: str) -> bool:
        """Whether this worker was asked to leave."""
        ...

    def all(self) -> dict[str, Note]:
        """Return the notes by worker."""
        ...


class FileNotes:
    """The notes of a data directory of its own, in the file of its leases; it has one worker."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, executor_id: str, began_with: Mapping[str, str]) -> None:
        """Note what this worker began with, and forget the earlier ones: they are no more."""
        with self._connected() as connection, connection:
            connection.execute("DELETE FROM worker_notes")
            row = (executor_id, json.dumps(began_with))
            connection.execute("INSERT INTO worker_notes VALUES (?, ?, 0)", row)

    def ask(self, executor_id: str, why: int = STOP) -> bool:
        """Ask a worker to leave; False if it noted nothing."""
        asked = "UPDATE worker_notes SET is_asked = ? WHERE executor_id = ?"
        with self._connected() as connection, connection:
            return connection.execute(asked, (why, executor_id)).rowcount == 1

    def is_asked(self, executor_id: str) -> bool:
        """Whether a worker was asked to leave."""
        query = "SELECT is_asked FROM worker_notes WHERE executor_id = ?"
        with self._connected() as connection:
            row = connection.execute(query, (executor_id,)).fetchone()
        return row is not None and bool(row[0])

    def all(self) -> dict[str, Note]:
        """Return the notes by worker; none where no worker was yet."""
        if not self._path.exists():
            return {}
        query = "SELECT executor_id, began_with, is_asked FROM worker_notes"
        with self._connected() as connection:
            rows = connection.execute(query).fetchall()
        return {name: Note(name, json.loads(text), asked) for name, text, asked in rows}

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=WAIT_S)) as opened:
                opened.execute(_TABLE)
                yield opened
        except sqlite3.Error as error:
            raise UnavailableError(
                f"{self._path} cannot be used: {error}. Check the disk, or try again in a moment."
            ) from error
