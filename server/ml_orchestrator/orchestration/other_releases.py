"""Workers that take no runs of this release: who they are, what is said of them, asking them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_orchestrator.orchestration.leases import Lease, LeaseBook
from ml_orchestrator.orchestration.notes import MAKE_ROOM, PLANS, Note, Notes
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.program import program

__all__ = ["OtherReleases", "OtherWorker", "waits_for"]

FIRST = "1"  # of releases that noted none


@dataclass(frozen=True, slots=True)
class OtherWorker:
    """A worker of another release, and the version of the plans that it carries out."""

    lease: Lease
    plans: str
    can_be_asked: bool
    is_asked: bool

    @property
    def is_older(self) -> bool:
        """Whether it is to make room; two releases would take turns if each asked the other."""
        return int(self.plans) < int(PLAN_VERSION)


class OtherReleases:
    """Finds the workers of a data directory that take no runs of this release."""

    def __init__(self, leases: LeaseBook, notes: Notes) -> None:
        self._leases = leases
        self._notes = notes
        self._ours: frozenset[str] = frozenset()

    def in_the_way(self) -> list[OtherWorker]:
        """Return them; none while a worker is there that takes such runs, or there is none."""
        living = self._living()
        if any(lease.executor_id in self._ours for lease in living):
            return []
        noted = self._notes.all() if living else {}
        found = [_other(lease, noted.get(lease.executor_id)) for lease in living]
        ours = [each for each in found if each.plans == PLAN_VERSION]
        self._ours = frozenset(each.lease.executor_id for each in ours if each.can_be_asked)
        return [] if ours else found

    def ask(self, workers: Sequence[OtherWorker]) -> None:
        """Ask those of earlier releases to leave; what they are at is recorded first."""
        for worker in workers:
            if worker.is_older and worker.can_be_asked and not worker.is_asked:
                self._notes.ask(worker.lease.executor_id, MAKE_ROOM)

    def _living(self) -> list[Lease]:
        if not self._leases.exists():
            return []
        leases = self._leases.ours()
        return [x for x in leases if x.is_live and not self._leases.is_silent(x)]


def waits_for(workers: Sequence[OtherWorker]) -> tuple[str, ...]:
    """Return what is said of a queued run in whose way they are.

    >>> waits_for([])
    ()
    """
    return tuple(map(_said, workers[:1]))


def _said(worker: OtherWorker) -> str:
    which = "an earlier" if worker.is_older else "a newer"
    said = (
        f"The run waits for the worker of {which} release to leave (process {worker.lease.pid} on "
        f"{worker.lease.host}), which takes plans of version {worker.plans}, not {PLAN_VERSION}."
    )
    if not worker.is_older:
        return f"{said} It leaves once it has nothing to do. Or start the run with that release."
    if not worker.can_be_asked:
        return f"{said} It cannot be asked; `{program()} worker stop --now` ends it."
    return f"{said} It is asked to: once the steps under way there are recorded, a new one starts."


def _other(lease: Lease, note: Note | None) -> OtherWorker:
    # On Postgres the lease has it, too, of every release that shared a database. Elsewhere a worker
    # of a release that notes anything has done so before it has a lease.
    plans = getattr(lease, "plan_version", None)
    if plans is None:
        plans = note.began_with.get(PLANS, FIRST) if note else FIRST
    return OtherWorker(
        lease,
        plans,
        can_be_asked=note is not None,
        is_asked=note is not None and note.is_asked,
    )
