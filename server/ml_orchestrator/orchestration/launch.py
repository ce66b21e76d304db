"""Starting a detached worker when there is none."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.leases import LeaseBook, Leases
from ml_orchestrator.orchestration.notes import FileNotes, Notes
from ml_orchestrator.orchestration.sharing.pools import is_shared
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.settings import Settings

__all__ = [
    "Books",
    "WorkerLauncher",
    "book_of_leases",
    "book_of_notes",
    "open_books",
    "start_worker",
    "worker_leases",
    "worker_notes",
]

# A worker that ended by itself is not started again faster than this.
MAX_FAILED_STARTS = 3
MIN_INTERVAL_S = 1.0
# Opened where there is a shared database.
_SHARED = "ml_orchestrator.orchestration.sharing.opening:open_leases"
_SHARED_NOTES = "ml_orchestrator.orchestration.sharing.opening:open_notes"
_SHARED_BOOKS = "ml_orchestrator.orchestration.sharing.opening:open_books"
_log = logging.getLogger(__name__)


def worker_leases(settings: Settings) -> Leases:
    """Return the leases of a data directory that keeps its runs itself."""
    return Leases(settings.home / "leases.db", ttl_s=settings.lease_ttl_s)


def worker_notes(settings: Settings) -> FileNotes:
    """Return the notes of a data directory that keeps its runs itself."""
    return FileNotes(settings.home / "leases.db")


def book_of_notes(settings: Settings) -> Notes:
    """Return the notes of a data directory's workers, or of the database that it shares."""
    if not is_shared(settings):
        return worker_notes(settings)
    book: Notes = resolve(_SHARED_NOTES)(settings)
    return book


def book_of_leases(settings: Settings) -> LeaseBook:
    """Return the leases of a data directory, or of the database that it shares."""
    if not is_shared(settings):
        return worker_leases(settings)
    book: LeaseBook = resolve(_SHARED)(settings)
    return book


@dataclass(frozen=True, slots=True)
class Books:
    """Leases and notes for who looks at them again and again; ``close`` gives connections back."""

    leases: LeaseBook
    notes: Notes
    close: Callable[[], None]


def open_books(settings: Settings) -> Books:
    """Return the leases and notes that concern a data directory; their caller closes them."""
    if not is_shared(settings):
        return Books(worker_leases(settings), worker_notes(settings), lambda: None)
    books: Books = resolve(_SHARED_BOOKS)(settings)
    return books


class WorkerLauncher:
    """Sees to it that a data directory has a worker. Thread-safe.

    Several servers may start one at the same moment: all but one of them leave at once.
    """

    def __init__(self, settings: Settings, leases: LeaseBook | None = None) -> None:
        self._settings = settings
        self._leases = leases or book_of_leases(settings)
        self._lock = threading.Lock()
        self._started_at = float("-inf")
        self._started: subprocess.Popen[bytes] | None = None
        self._n_failed = 0

    def has_worker(self) -> bool:
        """Whether a worker is alive."""
        return self._leases.has_worker()

    def ensure(self) -> None:
        """Start a worker unless one is alive or the one we started is still coming up.

        Raises:
            UnavailableError: workers fail at their start, one after the other.
        """
        with self._lock:
            if self._has_just_left() or self._leases.has_worker() or self._is_coming():
                return
            self._count_failure()
            self._started_at = time.monotonic()
            self._started = start_worker(self._settings)

    def _has_just_left(self) -> bool:
        """Whether the one we started ended by itself, moments ago; one that was killed did not."""
        is_too_soon = time.monotonic() - self._started_at < MIN_INTERVAL_S
        code = self._started.returncode if self._started else None
        return is_too_soon and code is not None and code >= 0

    def _count_failure(self) -> None:
        code = self._started.returncode if self._started else 0
        self._n_failed = self._n_failed + 1 if code and code > 0 else 0
        if self._n_failed >= MAX_FAILED_STARTS:
            self._n_failed = 0
            raise UnavailableError(
                f"The worker cannot start (exit code {code}); the reason is in "
                f"{self._settings.home / 'logs' / 'worker.log'}. The run stays queued and goes "
                "on as soon as a worker can start."
            )

    def _is_coming(self) -> bool:
        started = self._started
        if started is None or started.returncode is not None:
            return False
        here = [lease for lease in self._leases.ours() if lease.is_here]
        return all(lease.pid != started.pid for lease in here)


def start_worker(settings: Settings, *options: str) -> "subprocess.Popen[bytes]":
    """Start a worker that outlives this process, with the environment that this one has now."""
    log = settings.home / "logs" / "worker.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _detached(settings, log, options)
    _log.info("Started worker %d, logging to %s", process.pid, log)
    # Somebody has to take its exit status, or it stays as a zombie.
    threading.Thread(target=process.wait, name="worker-exit", daemon=True).start()
    return process


def _detached(settings: Settings, log: Path, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ml_orchestrator", "worker", *options],
            cwd=settings.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(settings),
            start_new_session=True,
        )
