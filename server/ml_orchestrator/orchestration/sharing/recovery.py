"""Finding workers that have died, and giving their runs back to the queue."""

import logging
import time
from collections.abc import Callable, Sequence

import psutil

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.leases import kill
from ml_orchestrator.orchestration.sharing.leases import SharedLease, SharedLeases, is_running

__all__ = ["Recovery"]

PATIENCE = 1.5  # in lengths of a lease; a worker ends itself after one
WATCHED = 0.5  # of a length: so long somebody must have seen it silent
_log = logging.getLogger(__name__)


class Recovery:
    """What each worker does for the others. Not thread-safe: the worker's main thread has it.

    A worker of this machine is dead once its process is, and one that hangs here is killed first.
    One elsewhere is dead when the database has not heard of it for half as long again as it takes
    to end itself, and we have watched its silence: after this machine was asleep, others look
    silent for a moment.

    Args:
        leases: Those of the database.
        executor_id: This worker, which is never judged.
        ttl_s: Length of a lease, in seconds.
        owners: Returns who is at a run that this worker could take over.
        adopt: Queues again the runs of owners who are dead.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        leases: SharedLeases,
        executor_id: str,
        *,
        ttl_s: float,
        owners: Callable[[], set[str]],
        adopt: Callable[[Sequence[str]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._executor_id = executor_id
        self._ttl_s = ttl_s
        self._owners = owners
        self._adopt = adopt
        self._clock = clock
        self._living: list[SharedLease] | None = None
        self._seen: dict[str, tuple[float, float]] = {}  # last renewal, and when we saw it first

    def look(self) -> int:
        """Queue again what nobody is at any more, and return of how many owners."""
        try:
            # Who is at a run had a lease before it; asked in this order, one without is gone.
            owners = self._owners()
            lost = sorted(owners - self.living())
            if lost:
                _log.warning("Runs of %d workers that died are taken over", len(lost))
                self._adopt(lost)
        except UnavailableError as error:
            _log.warning("Nobody looks after other workers for now: %s", error)
            return 0
        return len(lost)

    def living(self) -> set[str]:
        """Bury the dead and return the others.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        leases = self._leases.all()
        self._seen = {lease.executor_id: self._sight(lease) for lease in leases}
        self._living = [lease for lease in leases if not self._is_buried(lease)]
        return {lease.executor_id for lease in self._living}

    @property
    def is_last(self) -> bool:
        """Whether all who may take the runs of our pools are of our release, when last looked."""
        if self._living is None:
            return False
        return not any(map(self._leases.takes_what_we_leave, self._living))

    def _sight(self, lease: SharedLease) -> tuple[float, float]:
        seen = self._seen.get(lease.executor_id)
        if seen is None or seen[0] != lease.renewed_at:
            return lease.renewed_at, self._clock()
        return seen

    def _is_buried(self, lease: SharedLease) -> bool:
        if lease.executor_id == self._executor_id:
            return False
        has_died = lease.is_here and not is_running(lease)
        if not has_died and not (self._hangs(lease) and self._is_ended(lease)):
            return False
        return self._leases.bury(lease)

    def _hangs(self, lease: SharedLease) -> bool:
        _, since = self._seen[lease.executor_id]
        is_watched = self._clock() - since >= WATCHED * self._ttl_s
        return is_watched and abs(lease.silent_s) > PATIENCE * self._ttl_s

    def _is_ended(self, lease: SharedLease) -> bool:
        """Kill a worker that hangs here; True also if it can only end itself."""
        _log.warning("Worker %d on %s has been silent for too long", lease.pid, lease.host)
        if lease.is_here:
            try:
                kill(lease)
            except psutil.AccessDenied:
                return True
            except psutil.TimeoutExpired:
                return False
        return True
