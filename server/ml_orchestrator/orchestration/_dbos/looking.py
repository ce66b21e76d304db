"""Looking for queued runs: every so often, and at once when somebody says that there is one.

DBOS 3.4 has a thread for each queue that sleeps between two looks and cannot be woken. Ours run the
same function with an event that can; a contract test says that it still works so.
"""

import threading

from dbos import DBOS, Queue
from dbos._queue import queue_worker_thread

__all__ = ["Lookers"]

JOIN_S = 10.0


class _Bell(threading.Event):
    """The end of the looking; waiting for it is over early when the bell rings."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Condition()
        self._n_rings = 0
        self._heard = threading.local()
        self.longest_s: float | None = None

    def ring(self) -> None:
        with self._rung:
            self._n_rings += 1
            self._rung.notify_all()

    def set(self) -> None:
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait as an event does, but no longer than to the next ring since this thread waited.

        Nor longer than ``longest_s``, in seconds, where that is set.
        """
        heard = getattr(self._heard, "n_rings", 0)
        if self.longest_s is not None:
            timeout = self.longest_s if timeout is None else min(timeout, self.longest_s)
        with self._rung:
            self._rung.wait_for(lambda: self._n_rings != heard, timeout)
            self._heard.n_rings = self._n_rings
        return self.is_set()


class Lookers:
    """The threads that take queued runs for the engine of this process, one for each queue."""

    def __init__(self, engine: DBOS, queues: list[Queue]) -> None:
        self._bell = _Bell()
        self._threads = [
            threading.Thread(
                target=queue_worker_thread,
                args=(self._bell, engine, queue),
                name=f"looks for {queue.name}",
                daemon=True,
            )
            for queue in queues
        ]
        for thread in self._threads:
            thread.start()

    def look_now(self) -> None:
        """Have every queue looked at without waiting for its turn."""
        self._bell.ring()

    def look_every(self, seconds: float) -> None:
        """Look at least this often, whatever the database says of the queues."""
        self._bell.longest_s = seconds
        self.look_now()

    def end(self) -> None:
        """Take no more runs."""
        self._bell.set()
        for thread in self._threads:
            thread.join(JOIN_S)
