"""Can the databases be opened, read and locked, and does this release know their schema?"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["check_audit", "check_databases", "check_schema"]

FILES = ("state.db", "workflows.db", "mlflow.db", "leases.db")
LOCK_WAIT_S = 1.0
CHECKED_BYTES = 200_000_000  # larger files are opened, but not read through
MAX_NAMED = 5
# Kept and counted, per agent, of what is unread and has no end.
_MISCOUNTED = (
    "SELECT agent FROM ("
    "SELECT agent, n, n_urgent FROM unread_counts UNION ALL "
    "SELECT agent, -count(*), -sum(coalesce(rank, 2) = 0) FROM message_recipients "
    "WHERE acknowledged_at IS NULL AND expires_at IS NULL GROUP BY agent) "
    "GROUP BY agent HAVING sum(n) <> 0 OR sum(n_urgent) <> 0 ORDER BY agent LIMIT ?"
)


def check_databases(patient: Patient) -> Iterator[Finding]:
    """Look at each file: is it a whole database, and can somebody write to it?"""
    found = [path for name in FILES if (path := patient.home / name).exists()]
    for path in found:
        yield from _look_into(path)
    if not found:
        yield fine("databases", "None yet; they are made on first use.")


def _look_into(path: Path) -> Iterator[Finding]:
    try:
        with closing(opened(path)) as connection:
            if path.stat().st_size <= CHECKED_BYTES:
                (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    raise sqlite3.DatabaseError(said)
            connection.execute("BEGIN IMMEDIATE")  # what a writer does first; nothing is written
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        yield _unusable(path, error)
    except sqlite3.DatabaseError as error:
        do = (
            f"Stop all sessions and the worker, move {path} away and put a backup in its place. "
            "Without one, `sqlite3 FILE .recover` saves what can be read."
        )
        yield fault("databases", f"{path.name} is damaged: {error}.", do)
    else:
        yield fine("databases", f"{path.name} is whole and can be written.")
        if path.name == "state.db" and path.stat().st_size <= CHECKED_BYTES:
            yield from _about_counts(path)


def _about_counts(path: Path) -> Iterator[Finding]:
    """Compare what is kept of unread messages with the messages; both are read at one moment."""
    try:
        with closing(opened(path)) as connection:
            wrong = connection.execute(_MISCOUNTED, (MAX_NAMED,)).fetchall()
    except sqlite3.OperationalError:
        return  # an older schema without counts
    if wrong:
        names = ", ".join(str(agent) for (agent,) in wrong)
        said = f"The counts of unread messages are not those of the messages, of: {names}."
        yield fault("databases", said, "The messages are whole. Please report this.")


def _unusable(path: Path, error: sqlite3.OperationalError) -> Finding:
    if "locked" not in str(error):
        do = "Look at its owner and permissions, and at the disk."
        return fault("databases", f"{path.name} cannot be opened: {error}.", do)
    holders = ", ".join(_holders(path)) or "a process of another user or machine"
    said = f"{path.name} has been locked for more than {LOCK_WAIT_S:g} s; it is open in: {holders}."
    do = "Wait for what is at work there; a process that hangs must be ended (kill NUMBER)."
    return fault("databases", said, do)


def _holders(path: Path) -> Iterator[str]:
    for process in psutil.process_iter(["pid", "name"]):
        try:
            if any(file.path == str(path) for file in process.open_files()):
                yield f"{process.info['name']} {process.pid}"
        except psutil.Error:
            continue  # ended, or somebody else's


def check_schema(patient: Patient) -> Iterator[Finding]:
    """Look at whether this release may go on with the state database."""
    if (path := _own_state(patient)) is None:
        return
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 SQLAlchemy is large

    from ml_orchestrator.storage.migrations import LATEST, version_of  # noqa: PLC0415

    try:
        with _engine(path).connect() as connection:
            found, oldest_reader = version_of(connection)
    except DatabaseError:
        return  # the check of the files has said so
    if oldest_reader > LATEST:
        said = (
            f"state.db has schema {found}, which needs a release that knows {oldest_reader}; "
            f"this one knows up to {LATEST}."
        )
        do = "Upgrade ml-orchestrator (claude plugin update, or pip), or use another directory."
        yield fault("schema", said, do)
    elif found < LATEST:
        yield fine("schema", f"state.db has schema {found}; the next start brings it to {LATEST}.")
    else:
        yield fine("schema", f"state.db has schema {found}, which this release knows.")


def check_audit(patient: Patient) -> Iterator[Finding]:
    """Look at whether the audit log is the chain that was written."""
    if (path := _own_state(patient)) is None:
        return
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 SQLAlchemy is large

    from ml_orchestrator.storage.audit import verify_audit  # noqa: PLC0415

    try:
        with _engine(path).connect() as connection:
            found = verify_audit(connection)
    except DatabaseError:
        return  # an older schema without one, or the check of the files has said so
    if found.fault is None:
        yield fine("audit log", f"{found.n_entries:,} entries, each follows the one before it.")
        return
    do = (
        "Somebody wrote to state.db past ml-orchestrator. Keep a copy of it, compare it with a "
        "backup, and find out who did."
    )
    yield fault("audit log", found.fault, do)


def _own_state(patient: Patient) -> Path | None:
    """Return the file of the state database; None if there is none yet, or it is a server's."""
    path = patient.home / "state.db"
    return path if patient.settings.database_url is None and path.exists() else None


def _engine(path: Path) -> "Engine":
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415 SQLAlchemy is large

    return create_engine("sqlite://", creator=partial(opened, path), poolclass=NullPool)


def opened(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that is there; nothing is created or migrated."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=LOCK_WAIT_S, isolation_level=None
    )
