"""How many events a second, how late, and what a handler that becomes ten times slower does.

In one process: a burst of events through the bus, beside a plain anyio stream that as many tasks
read from. Across processes: a publisher in a process of its own, one transaction for each event,
and how long after its publishing an event is heard here (the clocks are one machine's).

Under load: one bus with the limits of every subscriber, which it learns as it goes. Its handler
takes 5 ms for 40 urgent events a second (unloaded), then for these and 600 low ones (loaded), and
then, with the same load, 50 ms (slow). Late is from publishing to the beginning of handling. The
stream has as many readers as the bus may ever have, and no priorities: what waits, waits for all.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
from _event_lines import OpenLine, Ticked, bus_line, stream_line
from _event_load import PEER, under_load
from _figures import Figure, arguments, percentile, show

from ml_orchestrator.orchestration.events._connect import connect
from ml_orchestrator.orchestration.events._log import EventLog, Outbox
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope, Priority
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.storage.engine import open_database


async def burst(open_line: OpenLine, n: int) -> float:
    """Return events a second, from the first published to the last handled."""
    done, all_done = 0, anyio.Event()

    async def handle(_: Priority, __: float) -> None:
        nonlocal done
        done += 1
        if done == n:
            all_done.set()

    began_at = time.perf_counter()
    async with open_line(handle, room=n) as line:
        for number in range(n):
            line.emit(Priority.NORMAL)
            if number % 100 == 99:
                await asyncio.sleep(0)
        await all_done.wait()
    return n / (time.perf_counter() - began_at)


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
    n, rounds, seconds = (5_000, 3, 8.0) if options.quick else (20_000, 7, 26.0)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(asyncio.run(burst(bus_line, n)))
        theirs.append(asyncio.run(burst(stream_line, n)))
    figures = [
        Figure("microseconds an event, burst", "us", 1e6 / percentile(ours, 0.5),
               1e6 / percentile(theirs, 0.5), PEER, None, n),
        *under_load(seconds),
        *across(200 if options.quick else 1_000),
    ]  # fmt: skip
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
