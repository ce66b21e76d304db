"""Looking for queued runs: every so often, and at once when there is one or place for one.

DBOS 3.4 has a thread for each queue that sleeps between two looks and cannot be woken. Ours run the
same function with an event that can, and its record of what is at work tells them when a run ended.
Contract tests say that it still works so.
"""

import threading
from collections.abc import Callable

from dbos import DBOS, Queue
from dbos._core import ActiveWorkflowById
from dbos._queue import queue_worker_thread

__all__ = ["Lookers"]

JOIN_S = 10.0


class _Bell(threading.Event):
    """The end of the looking; waiting for it is over early when the bell rings."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Condition()
        self._is_rung = False
        self.longest_s: float | None = None

    def ring(self) -> None:
        with self._rung:
            self._is_rung = True
            self._rung.notify_all()

    def set(self) -> None:
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait as an event does, but no longer than to the next ring since somebody waited.

        Where ``longest_s`` is set, in seconds, it stands for the timeout. One thread may wait.
        """
        with self._rung:
            self._rung.wait_for(lambda: self._is_rung, self.longest_s or timeout)
            self._is_rung = False
        return self.is_set()


class _Active(ActiveWorkflowById):
    """What is at work in an engine; ``left`` is told the queue of each run that ended."""

    def __init__(self, left: Callable[[str], None]) -> None:
        super().__init__()
        self._left = left

    def _remove(self, key: str, bucket: tuple[str, str | None] | None) -> None:
        super()._remove(key, bucket)
        if bucket is not None:
            self._left(bucket[0])


class Lookers:
    """The threads that take queued runs for the engine of this process, one for each queue.

    When a run has ended, its queue is looked at for the next one. To be made before any is taken.
    """

    def __init__(self, engine: DBOS, queues: list[Queue]) -> None:
        self._bells = {queue.name: _Bell() for queue in queues}
        engine._active_workflows_set = _Active(self._look_at)
        self._threads = [
            threading.Thread(
                target=queue_worker_thread,
                args=(self._bells[queue.name], engine, queue),
                name=f"looks for {queue.name}",
                daemon=True,
            )
            for queue in queues
        ]
        for thread in self._threads:
            thread.start()

    def look_now(self) -> None:
        """Have every queue looked at without waiting for its turn."""
        for bell in self._bells.values():
            bell.ring()

    def look_every(self, seconds: float) -> None:
        """Look this often, whatever the database says of the queues."""
        for bell in self._bells.values():
            bell.longest_s = seconds
        self.look_now()

    def end(self) -> None:
        """Take no more runs."""
        for bell in self._bells.values():
            bell.set()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _look_at(self, queue: str) -> None:
        if bell := self._bells.get(queue):
            bell.ring()
