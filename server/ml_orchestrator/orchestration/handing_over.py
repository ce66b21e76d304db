"""How a worker leaves its work to the next one: what is under way is recorded, nothing more begins.

A run that comes to its next step meanwhile waits there, and whoever follows goes on with it. What
only waits, such as a roll-out or a person's approval, is not waited for: it is cut where it is and
goes on with the next worker, as after the sudden end of this one.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["HandOver"]


@dataclass(slots=True)
class _Place:
    """Where a step is recorded; ``has_begun`` once it is at work and is to be waited for."""

    has_begun: bool = False


_place: ContextVar[_Place | None] = ContextVar("recorded_place", default=None)


class HandOver:
    """Counts the steps at work, and lets none begin once it was asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_asked = False
        self._n_at_work = 0
        self._n_waiting = 0

    def ask(self) -> None:
        """Let no further step begin."""
        with self._lock:
            self._is_asked = True

    @property
    def is_asked(self) -> bool:
        """Whether no further step may begin."""
        return self._is_asked

    @property
    def n_at_work(self) -> int:
        """How many steps are at work or being recorded, without those that only wait."""
        return self._n_at_work

    @property
    def n_waiting(self) -> int:
        """How many steps are at work that only wait."""
        return self._n_waiting

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Surround a step and its recording: what is at work counts until both are over."""
        place = _Place()
        token = _place.set(place)
        try:
            yield
        finally:
            _place.reset(token)
            if place.has_begun:
                self._count(n_at_work=-1)

    @asynccontextmanager
    async def at_work(self, *, only_waits: bool = False) -> AsyncIterator[None]:
        """Surround the work of a step; once leaving was asked for, it never begins.

        It counts until this is left, or until that is which surrounds it with its recording.
        """
        place = _place.get() or _Place()
        with self._lock:
            may_begin = not self._is_asked
            if may_begin and only_waits:
                self._n_waiting += 1
            elif may_begin and not place.has_begun:
                place.has_begun = True
                self._n_at_work += 1
        if not may_begin:
            await _for_ever()
        try:
            yield
        finally:
            if only_waits:
                self._count(n_waiting=-1)
            elif place is not _place.get():
                self._count(n_at_work=-1)

    def _count(self, *, n_at_work: int = 0, n_waiting: int = 0) -> None:
        with self._lock:
            self._n_at_work += n_at_work
            self._n_waiting += n_waiting


async def _for_ever() -> None:
    """Wait until this task is cancelled, as the engine does at its end."""
    await asyncio.get_running_loop().create_future()
