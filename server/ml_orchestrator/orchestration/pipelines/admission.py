"""Admission: a step begins once its worker has the cores and the memory that it asks for."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from ml_orchestrator.errors import InvalidInputError

__all__ = ["Admission", "of_this_machine"]


class Admission:
    """Cores and memory of one worker, handed out in the order of asking.

    Whoever is first in the line waits for enough; nobody passes them, so that nobody starves.
    All of it happens in one event loop.
    """

    def __init__(self, *, cpu: float, memory_mb: float) -> None:
        self._whole = (cpu, memory_mb)
        self._free = (cpu, memory_mb)
        self._line: deque[tuple[tuple[float, float], asyncio.Event]] = deque()

    @asynccontextmanager
    async def granted(self, cpu: float, memory_mb: float) -> AsyncIterator[None]:
        """Hold so much while the body runs.

        Raises:
            InvalidInputError: the worker does not have so much at all.
        """
        wanted = (cpu, memory_mb)
        if cpu > self._whole[0] or memory_mb > self._whole[1]:
            raise InvalidInputError(
                f"It asks for {cpu:g} cores and {memory_mb:g} MB; this worker has "
                f"{self._whole[0]:g} and {self._whole[1]:.0f}. Ask for less, or use a larger one."
            )
        turn = asyncio.Event()
        self._line.append((wanted, turn))
        self._admit()
        try:
            await turn.wait()
            yield
        finally:
            if turn.is_set():
                self._free = (self._free[0] + cpu, self._free[1] + memory_mb)
            else:
                self._line.remove((wanted, turn))
            self._admit()

    def _admit(self) -> None:
        while self._line and _fits(self._line[0][0], self._free):
            wanted, turn = self._line.popleft()
            self._free = (self._free[0] - wanted[0], self._free[1] - wanted[1])
            turn.set()


def of_this_machine() -> Admission:
    """Return the admission of a worker on this machine: its cores and its memory."""
    memory_mb = psutil.virtual_memory().total / 1e6
    return Admission(cpu=float(os.cpu_count() or 1), memory_mb=memory_mb)


def _fits(wanted: tuple[float, float], free: tuple[float, float]) -> bool:
    return wanted[0] <= free[0] + 1e-9 and wanted[1] <= free[1] + 1e-9
