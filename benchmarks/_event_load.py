"""Load on one line of events whose handler becomes ten times slower while it runs."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from _event_lines import Line, OpenLine, bus_line, stream_line
from _figures import Figure, percentile

from ml_orchestrator.orchestration.events.definition import Priority

__all__ = ["PEER", "under_load"]

PEER = "anyio stream"
ROOM = 256
LOW_A_SECOND, URGENT_A_SECOND = 600.0, 40.0
USUAL_S, SLOW_S = 0.005, 0.050
GOAL = 2.0  # urgent p99 under the slow handler, over that before
LOOK_S = 0.02  # between two looks at the limit


@dataclass
class Phase:
    """A stretch of time with one load, and what was seen of the events published in it.

    Attributes:
        late_s: From publishing to the beginning of handling, by priority.
        published: How many were, by priority.
        lost: How many found no room, by the name of their priority.
        limits: How many could be handled at once, now and then.
    """

    name: str
    handler_s: float
    low_a_second: float
    late_s: dict[Priority, list[float]] = field(default_factory=lambda: {p: [] for p in Priority})
    published: Counter[Priority] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    limits: list[int] = field(default_factory=list)
    began_at: float = float("inf")

    @property
    def n_urgent(self) -> int:
        """How many urgent events were handled."""
        return len(self.late_s[Priority.URGENT])

    @property
    def n_never_begun(self) -> int:
        """How many urgent events were lost, or still waited at the end of all."""
        return self.published[Priority.URGENT] - self.n_urgent

    def urgent_ms(self, share: float) -> float:
        """Return a percentile of how late urgent events were."""
        return percentile(self.late_s[Priority.URGENT], share) * 1e3


class Load:
    """Three phases, one after the other, on a line that stays the same.

    Events come at random (a Poisson process with a seed), so that urgent ones meet, too.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.phases = (
            Phase("unloaded", USUAL_S, 0.0),
            Phase("loaded", USUAL_S, LOW_A_SECOND),
            Phase("slow", SLOW_S, LOW_A_SECOND),
        )
        self._now = self.phases[0]

    async def handle(self, priority: Priority, at: float) -> None:
        """Note how late an event is, in the phase it was published in, and take the time."""
        late_s = time.perf_counter() - at
        phase = next(phase for phase in reversed(self.phases) if phase.began_at <= at)
        phase.late_s[priority].append(late_s)
        await asyncio.sleep(self._now.handler_s)

    async def run(self, open_line: OpenLine) -> None:
        """Go through all phases."""
        async with open_line(self.handle, room=ROOM) as line:
            for phase in self.phases:
                self._now, before = phase, line.lost()
                await self._one(phase, line)
                phase.lost = line.lost() - before

    async def _one(self, phase: Phase, line: Line) -> None:
        phase.began_at = looked_at = time.perf_counter()
        coming = _arrivals(phase)
        due_s, priority = next(coming)
        while (now := time.perf_counter()) < phase.began_at + self._seconds:
            while phase.began_at + due_s <= now:
                line.emit(priority)
                phase.published[priority] += 1
                due_s, priority = next(coming)
                await asyncio.sleep(0)  # who publishes does so in a turn of the loop of its own
            if now - looked_at > LOOK_S:
                phase.limits.append(line.limit())
                looked_at = now
            await asyncio.sleep(0.001)


def _arrivals(phase: Phase) -> Iterator[tuple[float, Priority]]:
    """Yield when the next event comes, in s from the beginning of the phase, and its priority."""
    rng, at_s = random.Random(f"{phase.name} 0"), 0.0
    a_second = URGENT_A_SECOND + phase.low_a_second
    while True:
        at_s += rng.expovariate(a_second)
        is_urgent = rng.random() * a_second < URGENT_A_SECOND
        yield at_s, Priority.URGENT if is_urgent else Priority.LOW


def under_load(seconds: float) -> list[Figure]:
    """Return how late urgent events were with ``seconds`` for each phase, beside the stream."""
    ours, theirs = Load(seconds), Load(seconds)
    asyncio.run(ours.run(bus_line))
    asyncio.run(theirs.run(stream_line))
    figures = [
        Figure(f"urgent p{100 * share:.0f}, {mine.name}", "ms", mine.urgent_ms(share),
               peer.urgent_ms(share), PEER, None, mine.n_urgent)
        for mine, peer in zip(ours.phases, theirs.phases, strict=True)
        for share in (0.5, 0.99)
    ]  # fmt: skip
    unloaded, loaded, slow = ours.phases
    for before in (unloaded, loaded):
        figures.append(
            Figure("urgent p99, slow, ours", "ms", slow.urgent_ms(0.99), before.urgent_ms(0.99),
                   f"ours, {before.name}", GOAL, slow.n_urgent)
        )  # fmt: skip
    return [*figures, *_left_out(slow, theirs.phases[-1]), *_learnt(loaded, slow)]


def _left_out(slow: Phase, peer: Phase) -> list[Figure]:
    low, urgent = slow.published[Priority.LOW], slow.published[Priority.URGENT]
    return [
        Figure("low shed, slow", "", slow.lost["low"], peer.lost["low"], PEER, None, low),
        Figure("urgent never begun, slow", "", slow.n_never_begun, peer.n_never_begun, PEER,
               None, urgent),
    ]  # fmt: skip


def _learnt(loaded: Phase, slow: Phase) -> list[Figure]:
    return [
        Figure(f"learnt limit, {name}", "", float(value), None, None, None, len(phase.limits))
        for name, value, phase in (
            ("before slow", loaded.limits[-1], loaded),
            ("least while slow", min(slow.limits), slow),
            ("at the end", slow.limits[-1], slow),
        )
    ]
