"""How many events a second, how late, and what a handler that becomes ten times slower does.

In one process: a burst of events through the bus, beside a plain anyio stream that as many tasks
read from. Across processes: a publisher in a process of its own, one transaction for each event,
and how long after its publishing an event is heard here (the clocks are one machine's).

Under load: 600 low and 20 urgent events a second for a handler of 5 ms, then of 50 ms. Late is from
publishing to the beginning of handling. The stream has no priorities: what waits, waits for all.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio
from _figures import Figure, arguments, percentile, show

from ml_orchestrator.orchestration.events._connect import connect
from ml_orchestrator.orchestration.events._log import EventLog, Outbox
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope, Event, Priority, event
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.storage.engine import open_database

PEER = "anyio stream"
N_TASKS = 8
EIGHT = LimitRange(8, 8, 8)
LOW_EVERY_S, URGENT_EVERY_S = 1 / 600, 1 / 20
USUAL_S, SLOW_S = 0.005, 0.050
GOAL = 2.0  # urgent p99 under the slow handler, over the unloaded one


@event("benchmark.ticked")
class Ticked(Event):
    """When it was published, on the clock that is compared."""

    at: float


@dataclass
class Seen:
    """How late events were, in s, by priority."""

    late: dict[Priority, list[float]] = field(default_factory=lambda: {p: [] for p in Priority})

    def note(self, priority: Priority, published_at: float) -> None:
        """Take in an event whose handling begins now."""
        self.late[priority].append(time.perf_counter() - published_at)

    def p99_ms(self, priority: Priority) -> float:
        """Return the 99th percentile, in ms."""
        return percentile(self.late[priority], 0.99) * 1e3


Emit = Callable[[Priority], None]
Handle = Callable[[Priority, float], Awaitable[None]]


async def with_bus(
    handle: Handle, act: Callable[[Emit], Awaitable[None]], *, room: int
) -> Counter[str]:
    """Run ``act`` on a bus of this process, and return how many were shed by priority."""

    async def one(envelope: Envelope) -> None:
        assert isinstance(envelope.event, Ticked)
        await handle(envelope.priority, envelope.event.at)

    ticks = Subscription("ticks", (Ticked,), one, room=room, limits=EIGHT)
    bus, ready = EventBus([ticks]), asyncio.Event()
    running = asyncio.create_task(bus.run(ready=ready.set))
    await ready.wait()
    await act(lambda priority: _emitted(bus, priority))
    shed = Counter(bus.figures()[0][0].n_shed)
    bus.stop()
    await running
    return shed


def _emitted(bus: EventBus, priority: Priority) -> None:
    bus.emit(Ticked(at=time.perf_counter()), priority=priority)


async def with_stream(
    handle: Handle, act: Callable[[Emit], Awaitable[None]], *, room: int
) -> Counter[str]:
    """Run ``act`` on a plain stream; what finds no room is lost, whatever its priority."""
    send, receive = anyio.create_memory_object_stream[tuple[Priority, float]](room)
    lost: Counter[str] = Counter()

    async def read() -> None:
        async for priority, at in receive.clone():
            await handle(priority, at)

    def emit(priority: Priority) -> None:
        try:
            send.send_nowait((priority, time.perf_counter()))
        except anyio.WouldBlock:
            lost[priority.name.lower()] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(N_TASKS):
            tasks.start_soon(read)
        await act(emit)
        tasks.cancel_scope.cancel()
    receive.close()
    send.close()
    return lost


Way = Callable[..., Awaitable[Counter[str]]]


async def burst(way: Way, n: int) -> float:
    """Return events a second, from the first published to the last handled."""
    done, all_done = 0, anyio.Event()

    async def handle(_: Priority, __: float) -> None:
        nonlocal done
        done += 1
        if done == n:
            all_done.set()

    async def act(emit: Emit) -> None:
        for number in range(n):
            emit(Priority.NORMAL)
            if number % 100 == 99:
                await asyncio.sleep(0)
        await all_done.wait()

    began_at = time.perf_counter()
    await way(handle, act, room=n)
    return n / (time.perf_counter() - began_at)


async def steady(
    way: Way, seconds: float, *, handler_s: float, low: bool
) -> tuple[Seen, Counter[str]]:
    """Publish at a steady pace, and return how late events were and what was left out."""
    seen = Seen()

    async def handle(priority: Priority, at: float) -> None:
        seen.note(priority, at)
        await asyncio.sleep(handler_s)

    async def act(emit: Emit) -> None:
        began_at = time.perf_counter()
        next_low = next_urgent = began_at
        while (now := time.perf_counter()) < began_at + seconds:
            while low and next_low <= now:
                emit(Priority.LOW)
                next_low += LOW_EVERY_S
            while next_urgent <= now:
                emit(Priority.URGENT)
                next_urgent += URGENT_EVERY_S
            await asyncio.sleep(0.001)

    return seen, await way(handle, act, room=256)


def under_load(seconds: float) -> list[Figure]:
    """Return what a handler does that becomes ten times slower, in turns with the stream."""
    found: dict[tuple[str, str], Seen] = {}
    shed: dict[str, Counter[str]] = {}
    for name, way in (("bus", with_bus), ("stream", with_stream)):
        for load, handler_s, low in (
            ("unloaded", USUAL_S, False), ("loaded", USUAL_S, True), ("slow", SLOW_S, True),
        ):  # fmt: skip
            found[name, load], gone = asyncio.run(
                steady(way, seconds, handler_s=handler_s, low=low)
            )
            if load == "slow":
                shed[name] = gone
    urgent = Priority.URGENT
    unloaded = found["bus", "unloaded"].p99_ms(urgent)
    figures = [
        Figure(
            f"urgent p99, {load}", "ms", found["bus", load].p99_ms(urgent),
            found["stream", load].p99_ms(urgent), PEER, None, len(found["bus", load].late[urgent]),
        )
        for load in ("unloaded", "loaded", "slow")
    ]  # fmt: skip
    n = len(found["bus", "slow"].late[urgent])
    slow = found["bus", "slow"].p99_ms(urgent)
    figures.append(Figure("urgent p99, slow, ours", "ms", slow, unloaded, "unloaded", GOAL, n))
    for name in ("low", "urgent"):
        lost = shed["bus"][name], shed["stream"][name]
        figures.append(Figure(f"{name} left out, slow", "", *lost, PEER, None, int(seconds)))
    return figures


def across(n: int) -> list[Figure]:
    """Return how late events of another process are, and how many a durable consumer takes."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        url = f"sqlite:///{home / 'state.db'}"
        database = open_database(url, home)
        late: list[float] = []
        ended = asyncio.Event()

        async def hear(envelope: Envelope) -> None:
            assert isinstance(envelope.event, Ticked)
            late.append(datetime.now(UTC).timestamp() - envelope.event.at)
            if len(late) == n:
                ended.set()

        heard = Subscription("hears", (Ticked,), hear, room=n)
        took = Subscription("takes", (Ticked,), hear, is_durable=True, starts="beginning", room=512)

        async def run(subscription: Subscription, publish: list[str]) -> float:
            bus, ready = (
                EventBus(
                    [subscription],
                    connect=lambda: connect(database, [subscription], source="b", lease_s=10.0),
                ),
                asyncio.Event(),
            )
            running = asyncio.create_task(bus.run(ready=ready.set))
            await ready.wait()
            began_at = time.perf_counter()
            process = subprocess.Popen(publish) if publish else None  # noqa: ASYNC220
            await ended.wait()
            took_s = time.perf_counter() - began_at
            bus.stop()
            await running
            if process is not None:
                process.wait()
            return took_s

        asyncio.run(run(heard, [sys.executable, __file__, "--publish", url, str(n)]))
        lateness = sorted(late)
        late.clear()
        ended = asyncio.Event()
        took_s = asyncio.run(run(took, []))
        database.close()
    return [
        Figure("heard across processes, p50", "ms", percentile(lateness, 0.5) * 1e3, None, None,
               None, n),
        Figure("heard across processes, p99", "ms", percentile(lateness, 0.99) * 1e3, None, None,
               None, n),
        Figure("durable consumer", "events/s", n / took_s, None, None, None, n),
    ]  # fmt: skip


def publish(url: str, n: int) -> None:
    """Publish ``n`` events, a transaction each, a few milliseconds apart."""
    database = open_database(url, Path(url.removeprefix("sqlite:///")).parent)
    log, outbox = EventLog(database), Outbox("benchmark")
    for _ in range(n):
        log.publish(outbox, Ticked(at=datetime.now(UTC).timestamp()))
        time.sleep(0.004)
    database.close()


def main() -> None:
    """Measure bursts in turns, then the load, then across processes."""
    if "--publish" in sys.argv:
        publish(sys.argv[2], int(sys.argv[3]))
        return
    options = arguments(__doc__)
    n, rounds, seconds = (5_000, 3, 4.0) if options.quick else (20_000, 7, 15.0)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(asyncio.run(burst(with_bus, n)))
        theirs.append(asyncio.run(burst(with_stream, n)))
    figures = [
        Figure("microseconds an event, burst", "us", 1e6 / percentile(ours, 0.5),
               1e6 / percentile(theirs, 0.5), PEER, None, n),
        *under_load(seconds),
        *across(200 if options.quick else 1_000),
    ]  # fmt: skip
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
