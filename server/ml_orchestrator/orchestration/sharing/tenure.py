"""A process's time as one of several workers: its lease, and its end when the lease may be lost."""

import logging
import os
import threading
import time

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.sharing.leases import SharedLeases
from ml_orchestrator.orchestration.tenure import LOST_LEASE, RENEWALS_PER_TTL

__all__ = ["SharedTenure"]

LOOKS_PER_TTL = 20
_log = logging.getLogger(__name__)


class SharedTenure:
    """Holds a lease beside those of other workers.

    A process that cannot renew it for its whole length ends on the spot, children included, and so
    does one that learns that it was buried: from then on others may do its work. They wait for
    longer than it does, and no clock of a host has a say in it.
    """

    def __init__(
        self, leases: SharedLeases, executor_id: str, *, ttl_s: float, is_beside: bool = False
    ) -> None:
        self.executor_id = executor_id
        self._leases = leases
        self._ttl_s = ttl_s
        self._is_beside = is_beside
        self._ended = threading.Event()
        self._has_begun = False
        self._renewed_at = time.monotonic()

    def begin(self) -> bool:
        """Take the lease and go on renewing it, or stay after all; False if it is not to be."""
        if self._has_begun:
            return self._leases.stay(self.executor_id, is_beside=self._is_beside)
        self._renewed_at = time.monotonic()
        if not self._leases.take(self.executor_id, is_beside=self._is_beside):
            return False
        self._has_begun = True
        for work, name in ((self._keep, "lease"), (self._watch, "lease watch")):
            threading.Thread(target=work, name=name, daemon=True).start()
        return True

    def end(self) -> None:
        """Say that this worker is about to leave; the lease stays until ``close``."""
        self._leases.rest(self.executor_id)

    def close(self) -> None:
        """Give the lease back, once no run is taken any more."""
        self._ended.set()
        try:
            self._leases.leave(self.executor_id)
        except UnavailableError as error:
            _log.warning("The lease is left to fall silent: %s", error)

    def _keep(self) -> None:
        while not self._ended.wait(self._ttl_s / RENEWALS_PER_TTL):
            asked_at = time.monotonic()  # it counts from before the database heard of it
            try:
                is_ours = self._leases.renew(self.executor_id)
            except UnavailableError as error:
                _log.warning("The lease could not be renewed: %s", error)
                continue
            if not is_ours and not self._ended.is_set():
                _end("The lease is lost; another worker may have taken over")
            self._renewed_at = asked_at

    def _watch(self) -> None:
        while not self._ended.wait(self._ttl_s / LOOKS_PER_TTL):
            if time.monotonic() - self._renewed_at > self._ttl_s and not self._ended.is_set():
                _end("The lease could not be renewed in time; another worker may take over")


def _end(why: str) -> None:
    _log.error(why)
    os._exit(LOST_LEASE)
