"""The state database: opening it, and short transactions on it."""

import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, func, select
from sqlalchemy.exc import DatabaseError

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.kept import KEPT, KeptConnections
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.migrations import migrate
from ml_orchestrator.storage.schema import schema_version

__all__ = ["Database", "open_database", "open_empty", "timestamp"]

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
ATTEMPTS = 5
FIRST_PAUSE_S = 0.02
_BEGIN = {"read": "BEGIN", "write": "BEGIN IMMEDIATE"}  # of SQLite
_OPTIONS: dict[str, dict[str, Any]] = {  # of Postgres; a snapshot is asked for with its BEGIN
    "read": {
        "ml_purpose": "read", "isolation_level": "REPEATABLE READ", "postgresql_readonly": True,
    },
    "write": {"ml_purpose": "write"},
}  # fmt: skip
WRITE_LOCK = 0x6D6C_6F72  # any number of ours will do; every writer takes the same one


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment, now by default, as ISO 8601 UTC text that sorts by time."""
    moment = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


class Database:
    """Short transactions on the state database, from any thread.

    ``write`` takes the write lock at its start (``BEGIN IMMEDIATE`` on SQLite, an advisory lock
    on Postgres): what its function reads is still so when it writes, and rows are numbered in
    the order in which they are committed. A busy database is retried with jitter, a full disk
    is not; in both cases nothing of the failed transaction stays.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._kept = KeptConnections(engine) if engine.dialect.name == "sqlite" else None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a consistent snapshot and return its result."""
        return self._attempt(lambda: self._run(work, "read"))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a write transaction and commit; ``work`` may run more than once.

        Raises:
            UnavailableError: the database stayed locked, or the disk is full or read-only.
        """
        return self._attempt(lambda: self._run(work, "write"))

    def describe(self) -> str:
        """Return the database's kind and schema version, by asking it."""
        version = self.read(
            lambda connection: connection.scalar(select(func.max(schema_version.c.version)))
        )
        return f"{self.engine.dialect.name}, schema {version}"

    def close(self) -> None:
        """Give connections back."""
        if self._kept is not None:
            self._kept.close()
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], T], purpose: str) -> T:
        if self._kept is not None:
            return self._kept.run(work, _BEGIN[purpose])
        with self.engine.connect() as connection:
            connection.execution_options(**_OPTIONS[purpose])
            with connection.begin():
                return work(connection)

    def _attempt(self, act: Callable[[], T]) -> T:
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return act()
            except (DatabaseError, sqlite3.DatabaseError) as error:
                if not _is_passing(error) or attempt == ATTEMPTS:
                    raise _unavailable(error) from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 jitter, not a secret
            pause *= 2
        raise AssertionError("unreachable")


def open_database(url: str, home: Path) -> Database:
    """Open the state database at ``url``, creating and migrating it under a lock.

    Raises:
        UnavailableError: it cannot be reached or written, or a newer release wrote it.
    """
    prepare_home(home)
    engine = create_engine(url, **_options(url))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _prepare_postgres(engine)
    with exclusive(home / "state.db", doing="preparing the state database"):
        _bring_up_to_date(engine)
    return Database(engine)


def open_empty() -> Database:
    """Open a state database that holds nothing and is nowhere on disk, for those who only read."""
    address = f"sqlite:///file:{uuid4().hex}?mode=memory&cache=shared&uri=true"  # one, many threads
    engine = create_engine(address, poolclass=QueuePool, **_options(address))
    _prepare_sqlite(engine)
    migrate(engine)
    return Database(engine)


def _bring_up_to_date(engine: Engine) -> None:
    """Migrate; where that fails, give the connections back."""
    try:
        migrate(engine)
    except DatabaseError as error:
        engine.dispose()
        raise _unavailable(error) from error
    except OrchestratorError:
        engine.dispose()
        raise


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {
            "connect_args": {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
            "max_overflow": -1,  # as many as there are threads: some are kept
        }
    return {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}


def _prepare_sqlite(engine: Engine) -> None:
    """Set WAL and full synchronisation; let the write lock be taken at BEGIN."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # sqlite3 then leaves BEGIN to us
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows ASCII alone. No index and no trigger may use it: other programs that
        # open the file have not got this one.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        purpose = connection.get_execution_options().get("ml_purpose", "write")
        if purpose != KEPT:
            connection.exec_driver_sql(_BEGIN[purpose])


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _prepare_postgres(engine: Engine) -> None:
    """Let one writer in at a time; readers have asked for one snapshot as they connected."""
    alone = (
        f"SELECT set_config('lock_timeout', '{BUSY_TIMEOUT_S:.0f}s', true), "
        f"pg_advisory_xact_lock({WRITE_LOCK})"
    )

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("ml_purpose", "write") == "write":
            connection.exec_driver_sql(alone)


def _is_passing(error: DatabaseError | sqlite3.DatabaseError) -> bool:
    text = _said(error).lower()
    return any(sign in text for sign in ("locked", "busy", "lock timeout", "deadlock detected"))


def _unavailable(error: DatabaseError | sqlite3.DatabaseError) -> UnavailableError:
    text = _said(error).strip() or type(error).__name__
    if "full" in text or "No space left" in text:
        hint = "Free some disk space and try again."
    elif "disk I/O" in text:  # how SQLite calls a full disk that it has not written to yet
        hint = "Its disk is full or fails: free some space, then check it and ML_ORCHESTRATOR_HOME."
    elif _is_passing(error):
        hint = "Another process holds it; try again in a moment."
    else:
        hint = "Check the disk, ML_ORCHESTRATOR_HOME and ML_ORCHESTRATOR_DATABASE_URL."
    return UnavailableError(f"The state database refused: {text}. Nothing was written. {hint}")


def _said(error: DatabaseError | sqlite3.DatabaseError) -> str:
    return str(error.orig if isinstance(error, DatabaseError) else error)
