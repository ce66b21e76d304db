"""A process's time as the worker: its lease, renewed in the background until it ends."""

import logging
import os
import sqlite3
import threading
import time

from ml_orchestrator.orchestration.leases import Leases

__all__ = ["Tenure"]

LOST_LEASE = 75  # exit code
RENEWALS_PER_TTL = 5
_log = logging.getLogger(__name__)


class Tenure:
    """Holds a lease. Whoever loses it ends on the spot, children included.

    ``end`` gives the lease back in good order; ``begin`` may be called again afterwards.
    """

    def __init__(self, leases: Leases, executor_id: str, *, ttl_s: float) -> None:
        self.executor_id = executor_id
        self._leases = leases
        self._ttl_s = ttl_s
        self._ended = threading.Event()

    def begin(self) -> bool:
        """Take the lease and go on renewing it; True, as nobody else can have it."""
        self._ended = threading.Event()
        self._leases.take(self.executor_id)
        keep = threading.Thread(target=self._keep, args=(self._ended,), name="lease", daemon=True)
        keep.start()
        return True

    def end(self) -> None:
        """Stop renewing the lease and resign."""
        self._ended.set()
        self._leases.resign(self.executor_id)

    def _keep(self, ended: threading.Event) -> None:
        renewed_at = time.monotonic()
        while not ended.wait(self._ttl_s / RENEWALS_PER_TTL):
            try:
                is_ours = self._leases.renew(self.executor_id)
                renewed_at = time.monotonic()
            except sqlite3.Error:
                _log.warning("The lease could not be renewed", exc_info=True)
                is_ours = time.monotonic() - renewed_at < self._ttl_s
            if not is_ours and not ended.is_set():
                _log.error("The lease is lost; another worker may have taken over")
                os._exit(LOST_LEASE)
