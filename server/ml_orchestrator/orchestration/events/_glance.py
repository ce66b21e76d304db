"""Whether something was written: cheaply on SQLite, and on Postgres without asking."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.orchestration.events._log import CHANNEL
from ml_orchestrator.orchestration.events.feed import Glance
from ml_orchestrator.storage.creation import sqlite_file
from ml_orchestrator.storage.engine import Database

if TYPE_CHECKING:  # an extra
    import psycopg

__all__ = ["glance_at"]

LISTEN_S = 1.0  # how long one wait for a notification lasts
SPACING_S = 0.2  # in a stream of notifications: each process that hears one reads the log
RETRY_S = 1.0
_log = logging.getLogger(__name__)


def glance_at(database: Database) -> Glance:
    """Return the way to see news that this database has."""
    path = sqlite_file(database.engine.url.render_as_string(hide_password=False))
    if path is not None:
        return _DataVersion(str(path))
    return _Listener(database)


class _DataVersion:
    """SQLite counts the commits of other connections; asking for the count reads no page."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
        self._seen: int | None = None

    def has_changed(self) -> bool:
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.OperationalError:  # locked for a moment: reading will tell
            return True
        seen, self._seen = self._seen, int(version)
        return seen != self._seen

    def listen(self, heard: Callable[[], None]) -> None:
        """Nobody tells on SQLite."""

    def close(self) -> None:
        self._connection.close()


class _Listener:
    """Postgres notifies who listens; every look asks as well, in case that connection was lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def has_changed(self) -> bool:
        return True

    def listen(self, heard: Callable[[], None]) -> None:
        self._thread = threading.Thread(
            target=self._listen, args=(heard,), name="events-listen", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(2 * LISTEN_S)

    def _listen(self, heard: Callable[[], None]) -> None:
        import psycopg  # noqa: PLC0415 an extra; only with Postgres

        while not self._over.is_set():
            try:
                self._listen_once(heard)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                if not self._over.is_set():
                    _log.warning("Not listening to Postgres for a moment: %s", error)
                    self._over.wait(RETRY_S)

    def _listen_once(self, heard: Callable[[], None]) -> None:
        """Listen on a connection that the pool does not get back."""
        fairy = self._database.engine.raw_connection()
        connection = cast("psycopg.Connection", fairy.driver_connection)
        fairy.detach()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}".encode())
            heard()  # what came before we listened
            while not self._over.is_set():
                if not list(connection.notifies(timeout=LISTEN_S, stop_after=1)):
                    continue
                with suppress(RuntimeError):  # the loop has ended
                    heard()
                self._over.wait(SPACING_S)
        finally:
            connection.close()
