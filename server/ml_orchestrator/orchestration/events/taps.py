"""Listening from anywhere: a stream of events for code on another event loop, or on none."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint

from ml_orchestrator.orchestration.events.definition import Envelope, Event, Priority
from ml_orchestrator.orchestration.events.waiting import Bands

__all__ = ["Tap"]


class Tap(ObjectReceiveStream[Envelope]):
    """A stream of what happens from now on, urgent first; used on one event loop.

    The bus puts in, from its own thread; whoever opened it takes out. When it is full, the oldest
    of the lowest priority goes, and ``n_missed`` says how many did: whoever keeps something up to
    date looks afresh then.

    Args of the constructor:
        events: The types wanted; none is all of them.
        room: How many may wait.
        keys: Only events about these; None is all.
        closed: Told when it is closed.
    """

    def __init__(
        self,
        events: tuple[type[Event], ...],
        *,
        room: int,
        keys: frozenset[str] | None,
        closed: Callable[["Tap"], None],
    ) -> None:
        self._names = {kind.event_kind.name for kind in events}
        self._keys = keys
        self._closed = closed
        self._lock = threading.Lock()
        self._waiting: Bands[Envelope] = Bands(room)
        self._loop = asyncio.get_running_loop()
        self._has_come = anyio.Event()
        self._is_open = True
        self.n_missed = 0

    def wants(self, name: str) -> bool:
        """Whether events of this name are wanted."""
        return not self._names or name in self._names

    def put(self, envelope: Envelope) -> Priority | None:
        """Let an event wait, from any thread; return the priority of one that had to go."""
        if self._keys is not None and envelope.key not in self._keys:
            return None
        with self._lock:
            gone = self._waiting.offer(envelope, envelope.priority)
            self.n_missed += gone is not None
        with suppress(RuntimeError):  # its loop has ended; the tap is about to be closed
            self._loop.call_soon_threadsafe(self._wake)
        return None if gone is None else gone.priority

    async def receive(self) -> Envelope:
        """Return the next event, once there is one.

        Raises:
            anyio.EndOfStream: the tap was closed.
        """
        while True:
            with self._lock:
                waiting = self._waiting.take()
                self._has_come = anyio.Event() if waiting is None else self._has_come
            if waiting is not None:
                return waiting.item
            if not self._is_open:
                raise anyio.EndOfStream
            await self._has_come.wait()

    def receive_nowait(self) -> Envelope | None:
        """Return the next event if there is one."""
        with self._lock:
            waiting = self._waiting.take()
        return None if waiting is None else waiting.item

    async def aclose(self) -> None:
        """Stop listening; what waits can still be taken."""
        self.close()
        await checkpoint()

    def close(self) -> None:
        """Stop listening, on the loop of the tap."""
        if self._is_open:
            self._is_open = False
            self._closed(self)
            self._wake()

    def _wake(self) -> None:
        self._has_come.set()
