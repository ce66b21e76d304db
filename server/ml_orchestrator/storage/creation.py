"""First creation of a database file: whole or not at all."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ml_orchestrator.storage.locks import exclusive

__all__ = ["sqlite_file", "with_whole_file"]

PREFIX = "sqlite:///"


def sqlite_file(url: str) -> Path | None:
    """Return the file a SQLite address names; None for any other database."""
    return Path(url.removeprefix(PREFIX)) if url.startswith(PREFIX) else None


def with_whole_file(url: str, *, doing: str, build: Callable[[str], object]) -> None:
    """Create the SQLite database at ``url`` unless it is there; leave other databases alone.

    ``build`` is given the address of a draft beside the final place, which is moved there once
    it is finished: migrations of MLflow and DBOS that are killed half-way cannot be resumed
    (MLflow 3.17, dbos 3.4), and neither is safe against two processes at once.

    Raises:
        UnavailableError: another process has been building it for too long.
    """
    path = sqlite_file(url)
    if path is None or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path, doing=doing):
        if path.exists():
            return
        draft = path.with_name(f"{path.name}.draft")
        for leftover in path.parent.glob(f"{draft.name}*"):
            leftover.unlink()
        build(f"{PREFIX}{draft}")
        _settle(draft)
        draft.replace(path)


def _settle(draft: Path) -> None:
    """Bring everything that was written into the one file that is moved."""
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
