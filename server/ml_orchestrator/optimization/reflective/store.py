"""Sessions as files of the data directory, each written whole or not at all."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.optimization.reflective.session import Session
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.whole_files import write_lasting

__all__ = ["SessionStore"]

FOLDER = "prompt_sessions"
MOST_KEPT = 200
WAIT_S = 30.0
_ID = re.compile(r"[a-z0-9-]{1,64}")


class SessionStore:
    """The sessions of one data directory; the newest 200 are kept. Thread- and process-safe."""

    def __init__(self, home: Path) -> None:
        self._folder = prepare_home(home) / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def add(self, session: Session) -> None:
        """Write a new session and drop the oldest beyond those that are kept."""
        with self._locked(session.id):
            self._write(session)
        for id_ in self._newest()[MOST_KEPT:]:
            self._drop(id_)

    def read(self, id_: str) -> Session:
        """Return a session.

        Raises:
            InvalidInputError: ``id_`` cannot name one.
            NotFoundError: there is none of this name.
            IntegrityViolationError: its file is not what was written.
        """
        path = self._path(id_)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            known = ", ".join(sorted(f.stem for f in self._folder.glob("*.json"))[-5:]) or "none"
            raise NotFoundError(
                f"No session {id_!r}; the last ones: {known}. prompt_propose without a session "
                "begins a new one."
            ) from None
        try:
            return Session.model_validate_json(text)
        except ValidationError as error:
            raise IntegrityViolationError(
                f"The file of session {id_!r} in {FOLDER} cannot be read: it was changed by others "
                "or written by a later release."
            ) from error

    def n_kept(self) -> int:
        """Return how many sessions there are."""
        return len(self._newest())

    @contextmanager
    def changing(self, id_: str) -> Iterator[Session]:
        """Give a session to change; it is written at the end unless an error is raised."""
        self._path(id_)
        with self._locked(id_):
            session = self.read(id_)
            yield session
            self._write(session)

    def _newest(self) -> list[str]:
        """Return the names of all sessions, the newest first."""
        found = []
        for file in self._folder.glob("*.json"):
            with suppress(FileNotFoundError):  # another process dropped it meanwhile
                found.append((file.stat().st_mtime_ns, file.stem))
        return [id_ for _, id_ in sorted(found, reverse=True)]

    def _drop(self, id_: str) -> None:
        """Remove a session unless somebody is at it; then it goes when the next one is added.

        The lock goes too: who waits for it finds no session, and a name is not given twice.
        """
        path = self._path(id_)
        with suppress(UnavailableError), exclusive(path, doing="changing it", wait_s=0):
            path.unlink(missing_ok=True)
            Path(f"{path}.lock").unlink(missing_ok=True)

    def _locked(self, id_: str) -> AbstractContextManager[None]:
        return exclusive(self._path(id_), doing="changing this session", wait_s=WAIT_S)

    def _path(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise InvalidInputError(f"{id_[:80]!r} cannot name a session; use the one returned.")
        return self._folder / f"{id_}.json"

    def _write(self, session: Session) -> None:
        write_lasting(self._path(session.id), session.model_dump_json())
