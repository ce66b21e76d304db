"""Steps in threads of a worker: one that is still running is never run beside itself."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

from ml_orchestrator.orchestration.execution import StepFailedError

__all__ = ["InFlight"]

Output = dict[str, Any]


class InFlight:
    """Runs each step once at a time, by a key; for one event loop.

    A step in a thread cannot be killed. When its run is cancelled it goes on to its end, and a run
    that is resumed meanwhile comes to the same step again: that one waits for the first and takes
    its output, so its effects happen once. If the first fails, the step is run anew.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Output]] = {}

    async def once(self, key: Hashable, work: Callable[[], Output]) -> Output:
        """Return what ``work`` returns, or what the same step returns that is still running.

        Raises:
            StepFailedError: ``work`` raised it.
        """
        while (earlier := self._running.get(key)) is not None:
            try:
                return await asyncio.shield(earlier)
            except StepFailedError:
                await asyncio.sleep(0)  # it has left; nobody asked it to do our work
        task = asyncio.ensure_future(asyncio.to_thread(work))
        self._running[key] = task
        task.add_done_callback(lambda done: self._leave(key, done))
        return await asyncio.shield(task)

    def _leave(self, key: Hashable, done: "asyncio.Task[Output]") -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited for it has been told; if nobody did, nobody cares
