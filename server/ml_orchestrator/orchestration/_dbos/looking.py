"""Looking for queued runs: every so often, and at once when there is one or place for one.

DBOS 3.4 has a thread for each queue that sleeps between two looks and cannot be woken, and a look
takes seven statements whether anything waits or not. Ours run the same function with an event that
can be woken: by a glance, one statement for all queues, and by its record of what is at work, when
a run ended. Contract tests say that it still works so.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable

from dbos import DBOS, Queue
from dbos._core import ActiveWorkflowById
from dbos._queue import queue_worker_thread
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.orchestration._dbos.standing import Standing

__all__ = ["Lookers"]

JOIN_S = 10.0
FIRST_GLANCE_S = 1.0  # unless somebody says how often
UNASKED_S = 30.0  # a queue is looked at this often, whatever glances see
_log = logging.getLogger(__name__)


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

    A queue is looked at when a glance saw that a run waits there and there is room for it, and when
    one of its runs has ended. To be made before any is taken.
    """

    def __init__(self, engine: DBOS, queues: list[Queue], standing: Standing) -> None:
        self._standing = standing
        self._queues = {queue.name: queue for queue in queues}
        self._bells = {name: _Bell() for name in self._queues}
        self._glancing = _Bell()
        engine._active_workflows_set = self._active = _Active(self._look_at)
        self._threads = [threading.Thread(target=self._glance, name="glances", daemon=True)]
        for name, queue in self._queues.items():
            # Else it is read anew before each look; what changes there counts from the next start.
            queue.database_backed_queue = False
            self._bells[name].longest_s = UNASKED_S
            self._threads.append(
                threading.Thread(
                    target=queue_worker_thread,
                    args=(self._bells[name], engine, queue),
                    name=f"looks for {name}",
                    daemon=True,
                )
            )
        for thread in self._threads:
            thread.start()

    def look_now(self) -> None:
        """Have every queue glanced at without waiting for its turn."""
        self._glancing.ring()

    def look_every(self, seconds: float) -> None:
        """Glance this often."""
        self._glancing.longest_s = seconds
        self.look_now()

    def end(self) -> None:
        """Take no more runs."""
        for bell in (self._glancing, *self._bells.values()):
            bell.set()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _glance(self) -> None:
        while not self._glancing.wait(FIRST_GLANCE_S):
            try:
                waiting = self._standing.waiting_at()
                for name in self._queues.keys() & waiting:
                    if self._has_room(name):
                        self._bells[name].ring()
            except (SQLAlchemyError, sqlite3.Error, OSError) as error:
                _log.debug("Could not glance at the queues: %s", error)  # the worker warns of it
            except Exception:  # noqa: BLE001 a defect of a glance must not end those that follow
                _log.exception("Could not glance at the queues")

    def _has_room(self, name: str) -> bool:
        most = self._queues[name]._worker_concurrency
        return most is None or self._active.count_for_queue(name) < most

    def _look_at(self, queue: str) -> None:
        if bell := self._bells.get(queue):
            bell.ring()
