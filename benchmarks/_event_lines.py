"""What events go through from a publisher to a handler: our bus, or a plain anyio stream.

Both take as many events at once as the bus may by default, and let as many wait.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope, Event, Priority, event
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.subscription import Subscription

__all__ = ["Handle", "Line", "OpenLine", "Ticked", "bus_line", "stream_line"]

N_READERS = LimitRange().most


@event("benchmark.ticked")
class Ticked(Event):
    """When it was published, on the clock that is compared."""

    at: float


@dataclass(frozen=True, slots=True)
class Line:
    """A way that is open.

    Attributes:
        emit: Publishes an event of a priority.
        lost: Returns how many found no room so far, by priority.
        limit: Returns how many may be handled at once now.
    """

    emit: Callable[[Priority], None]
    lost: Callable[[], Counter[str]]
    limit: Callable[[], int]


Handle: TypeAlias = Callable[[Priority, float], Awaitable[None]]
OpenLine: TypeAlias = Callable[..., AbstractAsyncContextManager[Line]]


@asynccontextmanager
async def bus_line(handle: Handle, *, room: int) -> AsyncIterator[Line]:
    """Open a bus of this process, with the limits that a subscriber has by default."""

    async def one(envelope: Envelope) -> None:
        assert isinstance(envelope.event, Ticked)
        await handle(envelope.priority, envelope.event.at)

    bus, ready = EventBus([Subscription("ticks", (Ticked,), one, room=room)]), asyncio.Event()
    running = asyncio.create_task(bus.run(ready=ready.set))
    await ready.wait()

    def emit(priority: Priority) -> None:
        bus.emit(Ticked(at=time.perf_counter()), priority=priority)

    yield Line(
        emit=emit,
        lost=lambda: Counter(bus.figures()[0][0].n_shed),
        limit=lambda: bus.figures()[0][0].limit,
    )
    bus.stop()
    await running


@asynccontextmanager
async def stream_line(handle: Handle, *, room: int) -> AsyncIterator[Line]:
    """Open a plain stream; what finds no room is lost, whatever its priority."""
    send, receive = anyio.create_memory_object_stream[tuple[Priority, float]](room)
    lost: Counter[str] = Counter()

    async def read() -> None:
        with receive.clone() as own:
            async for priority, at in own:
                await handle(priority, at)

    def emit(priority: Priority) -> None:
        try:
            send.send_nowait((priority, time.perf_counter()))
        except anyio.WouldBlock:
            lost[priority.name.lower()] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(N_READERS):
            tasks.start_soon(read)
        yield Line(emit=emit, lost=lost.copy, limit=lambda: N_READERS)
        tasks.cancel_scope.cancel()
    receive.close()
    send.close()
