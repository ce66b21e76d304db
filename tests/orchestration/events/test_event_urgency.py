"""High priorities beside a limit that deliveries of low priority have taught to a handler."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.orchestration.events.kettles import KettleBoiled

from ml_orchestrator.orchestration.events.definition import Envelope, Priority
from ml_orchestrator.orchestration.events.dispatcher import Dispatcher
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.subscription import Delivery, Subscription

LOW, NORMAL, HIGH, URGENT = Priority
USUAL_S, SLOW_S = 0.005, 0.050
WIDE = LimitRange(least=2, first=8, most=8)


class Stove:
    """A handler on a clock of its own: it takes as long as it is told, or until it is let go."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.takes_s = USUAL_S
        self.begun: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, envelope: Envelope) -> None:
        self.begun.append(envelope.priority.name.lower())
        self.now_s += self.takes_s
        await self.may_end.wait()

    def clock(self) -> float:
        return self.now_s


def offer(dispatcher: Dispatcher, *priorities: Priority) -> None:
    for n, priority in enumerate(priorities):
        event = KettleBoiled(kettle="blue", n=n)
        at = "2026-01-01T00:00:00+00:00"
        dispatcher.offer(Delivery(Envelope(event, str(n), event.key, priority, at, "here")))


async def all_begun() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def learnt(stove: Stove, *, limits: LimitRange, in_order: bool = False) -> Dispatcher:
    """Return a dispatcher whose handler has become ten times slower, its limit at the least."""
    wanted = Subscription("stove", (KettleBoiled,), stove, limits=limits, in_order=in_order)
    dispatcher = Dispatcher(wanted, settle=lambda *_: None, shed=lambda _: None, clock=stove.clock)
    for takes_s, n in ((USUAL_S, 50), (SLOW_S, 100)):
        stove.takes_s = takes_s
        for _ in range(n):
            if takes_s == SLOW_S and dispatcher.figures().limit == limits.least:
                break
            offer(dispatcher, LOW)
            await all_begun()
    assert dispatcher.figures().limit == limits.least
    stove.begun.clear()
    stove.may_end.clear()
    return dispatcher


@pytest.fixture
async def stove() -> AsyncIterator[Stove]:
    stove = Stove()
    yield stove
    stove.may_end.set()
    await all_begun()


async def test_urgent_ones_begin_at_once_where_low_ones_brought_the_limit_down(
    stove: Stove,
) -> None:
    dispatcher = await learnt(stove, limits=WIDE)

    offer(dispatcher, *[LOW] * 20)
    await all_begun()
    offer(dispatcher, URGENT, HIGH, URGENT, HIGH)
    await all_begun()

    assert stove.begun == ["low", "urgent", "urgent", "high", "high"]
    assert dispatcher.figures().limit == 2


async def test_no_more_than_the_most_are_handled_at_once_however_urgent(stove: Stove) -> None:
    dispatcher = await learnt(stove, limits=WIDE)

    offer(dispatcher, *[LOW] * 20)
    await all_begun()
    offer(dispatcher, *[URGENT] * 20)
    await all_begun()
    at_once = dispatcher.figures()
    stove.may_end.set()
    await all_begun()

    assert (at_once.n_active, at_once.n_waiting) == (WIDE.most, 40 - WIDE.most)
    assert stove.begun == ["low", *["urgent"] * 20, *["low"] * 19]  # none is forgotten


@pytest.mark.parametrize("priority", [LOW, NORMAL])
async def test_others_are_held_to_what_was_learnt_also_beside_urgent_ones(
    stove: Stove, priority: Priority
) -> None:
    dispatcher = await learnt(stove, limits=WIDE)

    offer(dispatcher, *[URGENT] * 2)
    await all_begun()
    offer(dispatcher, *[priority] * 5)
    await all_begun()

    assert stove.begun == ["urgent", "urgent"]
    assert dispatcher.figures().n_waiting == 5


async def test_where_order_is_kept_none_passes_the_limit(stove: Stove) -> None:
    dispatcher = await learnt(stove, limits=WIDE, in_order=True)

    offer(dispatcher, LOW, URGENT, URGENT)
    await all_begun()

    assert stove.begun == ["low"]
