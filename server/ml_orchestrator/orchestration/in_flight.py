"""Steps in threads of a worker: one that is still running is never run beside itself."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Any

from ml_orchestrator.orchestration.execution import StepFailedError

__all__ = ["InFlight"]

Output = dict[str, Any]


class InFlight:
    """Runs each step once at a time, by a key. Thread-safe.

    A step in a thread cannot be killed. When its run is cancelled it goes on to its end, and a run
    that is resumed meanwhile comes to the same step again: that one waits for the first and takes
    its output, so its effects happen once. If the first fails, the step is run anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Output]] = {}

    def once(self, key: Hashable, work: Callable[[], Output]) -> Output:
        """Return what ``work`` returns, or what the same step returns that is still running.

        Raises:
            StepFailedError: ``work`` raised it.
        """
        mine: Future[Output] = Future()
        while (earlier := self._entered(key, mine)) is not mine:
            try:
                return earlier.result()
            except StepFailedError:
                continue  # it has left; nobody asked it to do our work
        try:
            output = work()
        except BaseException as error:
            self._leave(key)
            mine.set_exception(error)
            raise
        self._leave(key)
        mine.set_result(output)
        return output

    def drain(self) -> None:
        """Wait until none is running any more."""
        while running := self._all():
            wait(running)

    def _all(self) -> "list[Future[Output]]":
        with self._lock:
            return list(self._running.values())

    def _entered(self, key: Hashable, mine: "Future[Output]") -> "Future[Output]":
        with self._lock:
            return self._running.setdefault(key, mine)

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            del self._running[key]
