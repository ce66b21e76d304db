"""How the workers of a data directory are, and asking one to leave."""

import sqlite3
from dataclasses import dataclass

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.beginnings import differences
from ml_orchestrator.orchestration.launch import book_of_leases, book_of_notes
from ml_orchestrator.orchestration.leases import Lease, is_running
from ml_orchestrator.orchestration.notes import Note
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings

__all__ = ["NO_WORKER", "RESTART", "WorkerView", "ask_to_leave", "look_at_workers"]

RESTART = f"{program()} worker restart"
NO_WORKER = (
    f"No worker is at work; `{program()} worker` starts one, as does a new run, a look at one "
    "that waits, or a server while there are runs or schedules."
)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker that is there, or was until it died.

    Attributes:
        lease: Its lease.
        silent_s: For how long that was not renewed, in seconds.
        is_silent: Whether that is too long.
        has_died: Whether its process on this machine has ended.
        is_asked: Whether it was asked to leave.
        differs: By name what a worker that begins now would begin with otherwise; None where it
            did not note what it began with, as workers of earlier releases.
    """

    lease: Lease
    silent_s: float
    is_silent: bool
    has_died: bool
    is_asked: bool
    differs: tuple[str, ...] | None

    @property
    def is_well(self) -> bool:
        """Whether it is at work."""
        return not self.is_silent and not self.has_died

    @property
    def difference(self) -> str:
        """Return in words in what it differs, and what mends that."""
        names = ", ".join(self.differs or ())
        where = "" if self.lease.is_here else f" on {self.lease.host}"
        return f"it began with another {names} than is set here; to give it these: {RESTART}{where}"


def look_at_workers(settings: Settings) -> list[WorkerView]:
    """Return the workers of the data directory that stay, on any machine.

    Raises:
        UnavailableError: what says so cannot be read.
    """
    leases, notes = book_of_leases(settings), book_of_notes(settings)
    try:
        found = [lease for lease in leases.ours() if lease.is_live] if leases.exists() else []
        noted = notes.all() if found else {}
    except sqlite3.Error as error:
        raise UnavailableError(f"The leases of workers cannot be read: {error}.") from error
    return [
        WorkerView(
            lease,
            leases.silence_s(lease),
            is_silent=leases.is_silent(lease),
            has_died=lease.is_here and not is_running(lease),
            is_asked=lease.executor_id in noted and noted[lease.executor_id].is_asked,
            differs=_differences(lease, noted.get(lease.executor_id), settings),
        )
        for lease in found
    ]


def _differences(lease: Lease, note: Note | None, settings: Settings) -> tuple[str, ...] | None:
    if note is None:
        return None
    begun, name = note.began_with, lease.executor_id
    return tuple(differences(begun, settings, name, is_here=lease.is_here))


def ask_to_leave(settings: Settings, worker: WorkerView) -> bool:
    """Ask a worker to leave once what it is at is recorded; False if it would not see that."""
    return book_of_notes(settings).ask(worker.lease.executor_id)
