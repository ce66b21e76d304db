"""Subscribers of one process: slow ones, failing ones, and ones that do not stop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from tests.orchestration.events.kettles import (
    AT_ONCE,
    LIMIT_S,
    KettleBoiled,
    KettleBroke,
    Kitchen,
    World,
    durable,
)

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope, Priority
from ml_orchestrator.orchestration.events.figures import SubscriberFigures, page
from ml_orchestrator.orchestration.events.kinds import EventsShed
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.retrying import Retrying
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.telemetry.measures import EVENT_LEVELS

TWO = LimitRange(2, 2, 2)


@asynccontextmanager
async def running(*subscriptions: Subscription) -> AsyncIterator[EventBus]:
    """A bus of this process alone, on the loop of the test."""
    bus, is_ready = EventBus(subscriptions), asyncio.Event()
    task = asyncio.create_task(bus.run(ready=is_ready.set))
    await is_ready.wait()
    try:
        yield bus
    finally:
        bus.stop()
        with anyio.fail_after(LIMIT_S):
            await task


def of(bus: EventBus, name: str) -> SubscriberFigures:
    return next(each for each, _ in bus.figures() if each.name == name)


async def until(condition: object) -> None:
    with anyio.fail_after(LIMIT_S):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 it is in no hurry
            await anyio.sleep(0.005)


class Gate:
    """A handler that holds every event up until it is opened, and notes when each began."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.may_end = asyncio.Event()

    async def __call__(self, envelope: Envelope) -> None:
        self.begun.append(envelope.event.n)  # type: ignore[attr-defined]
        await self.may_end.wait()


async def test_urgent_events_flow_past_a_handler_that_is_held_up_and_low_ones_are_shed() -> None:
    gate, notices = Gate(), []

    async def note(envelope: Envelope) -> None:
        notices.append(envelope.event)

    slow = Subscription("slow", (KettleBoiled, KettleBroke), gate, room=4, limits=TWO)
    async with running(slow, Subscription("notes", (EventsShed,), note)) as bus:
        for n in range(10):
            bus.emit(KettleBoiled(kettle="blue", n=n), priority=Priority.LOW)
        await until(lambda: gate.begun)
        bus.emit(KettleBroke(kettle="blue", n=100))
        await until(lambda: 100 in gate.begun)
        held, shown = of(bus, "slow"), metrics(bus)
        gate.may_end.set()
        await until(lambda: notices and of(bus, "slow").n_waiting == 0)
        await until(lambda: of(bus, "slow").counts["done"] == len(gate.begun))

    assert gate.begun[:2] == [6, 100]  # of two places one is kept for what is urgent
    assert (held.n_active, held.limit, held.n_stuck) == (2, 2, 0)
    assert held.n_shed == {"low": 10 - 4, "normal": 0, "high": 0, "urgent": 0}
    assert notices == [EventsShed(subscriber="slow", n_low=6, n_normal=0, n_high=0, n_urgent=0)]
    assert gate.begun[2:] == [7, 8, 9]  # the oldest went
    assert has(shown, 'events_shed_total{subscriber="slow",priority="low"} 6')
    assert has(shown, 'events_waiting{subscriber="slow"} 3')
    assert has(shown, 'events_limit{subscriber="slow"} 2')


async def test_a_limit_that_is_down_to_one_still_lets_everything_through() -> None:
    done: list[int] = []

    async def handle(envelope: Envelope) -> None:
        done.append(envelope.event.n)  # type: ignore[attr-defined]

    narrow = Subscription("narrow", (KettleBoiled,), handle, limits=LimitRange(1, 1, 2))
    async with running(narrow) as bus:
        for n in range(3):
            bus.emit(KettleBoiled(kettle="blue", n=n), priority=Priority.LOW)
        await until(lambda: len(done) == 3)


async def test_a_burst_for_a_handler_that_never_waits_is_handled_to_its_end() -> None:
    n_done = 0

    async def handle(_: Envelope) -> None:
        nonlocal n_done
        n_done += 1

    quick = Subscription("quick", (KettleBoiled,), handle, room=2_000)
    async with running(quick) as bus:
        for n in range(2_000):
            bus.emit(KettleBoiled(kettle="blue", n=n))
            if n % 100 == 99:
                await asyncio.sleep(0)  # workers end here; what comes next needs new ones
        await until(lambda: n_done == 2_000)


async def test_a_handler_that_raises_is_tried_again_and_then_left() -> None:
    attempts: list[int] = []

    async def fail(envelope: Envelope) -> None:
        attempts.append(envelope.event.n)  # type: ignore[attr-defined]
        raise UnavailableError("not now") if envelope.event.n else InvalidInputError("never")  # type: ignore[attr-defined]

    failing = Subscription("failing", (KettleBoiled,), fail, retrying=AT_ONCE)
    async with running(failing) as bus:
        for n in (0, 1):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        await until(lambda: of(bus, "failing").counts["dead"] == 2)

    assert sorted(attempts) == [0, 1, 1, 1]


async def test_a_handler_that_waits_too_long_is_cancelled_and_others_go_on() -> None:
    done: list[int] = []

    async def handle(envelope: Envelope) -> None:
        if envelope.event.n == 0:  # type: ignore[attr-defined]
            await asyncio.sleep(3_600)
        done.append(envelope.event.n)  # type: ignore[attr-defined]

    waiting = Subscription(
        "waiting", (KettleBoiled,), handle, timeout_s=0.05, retrying=AT_ONCE, limits=TWO
    )
    async with running(waiting) as bus:
        for n in range(5):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        await until(lambda: of(bus, "waiting").counts["dead"] == 1)
        found = of(bus, "waiting")

    assert sorted(done) == [1, 2, 3, 4]
    assert found.counts == {"done": 4, "failed": 0, "timeout": 3, "dead": 1}
    assert found.n_stuck == 0


async def test_a_handler_that_ignores_its_cancellation_loses_its_place_and_is_told_of() -> None:
    may_end, done = asyncio.Event(), []

    async def stubborn(envelope: Envelope) -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        done.append(envelope.event.n)  # type: ignore[attr-defined]

    alone = LimitRange(1, 1, 1)
    once = Subscription("stubborn", (KettleBoiled,), stubborn, timeout_s=0.02, limits=alone,
                        retrying=AT_ONCE)  # fmt: skip
    async with running(once) as bus:
        bus.emit(KettleBoiled(kettle="blue", n=0))
        bus.emit(KettleBoiled(kettle="blue", n=1))
        await until(lambda: of(bus, "stubborn").n_stuck >= 2)  # each gave its place up
        may_end.set()
        await until(lambda: of(bus, "stubborn").n_stuck == 0)

    assert set(done) == {0, 1}


async def test_a_plain_function_that_blocks_holds_up_no_loop_and_no_end() -> None:
    blocked, ended = threading.Event(), []

    def block(envelope: Envelope) -> None:
        if envelope.event.n == 0:  # type: ignore[attr-defined]
            blocked.wait(LIMIT_S)
        ended.append(envelope.event.n)  # type: ignore[attr-defined]

    one = Subscription(
        "blocking", (KettleBoiled,), block, timeout_s=0.05, retrying=AT_ONCE, limits=TWO
    )
    async with running(one) as bus:
        for n in range(3):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        await until(lambda: of(bus, "blocking").counts["dead"] == 1)
        stuck = of(bus, "blocking").n_stuck
        blocked.set()
        await until(lambda: of(bus, "blocking").n_stuck == 0)

    assert sorted(ended)[-2:] == [1, 2]
    assert stuck == AT_ONCE.most_attempts  # each attempt left a thread behind


async def test_order_by_key_holds_while_keys_go_side_by_side() -> None:
    log: list[str] = []
    gate = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        if envelope.key == "kettle:blue" and not gate.is_set():
            await gate.wait()
        log.append(f"{envelope.key} {envelope.event.n}")  # type: ignore[attr-defined]

    async with running(Subscription("ordered", (), handle, in_order=True)) as bus:
        for n in range(4):
            bus.emit(KettleBoiled(kettle="blue", n=n), priority=Priority(n))
        bus.emit(KettleBoiled(kettle="red", n=9))
        await until(lambda: log)
        gate.set()
        await until(lambda: len(log) == 5)

    assert log == ["kettle:red 9", *(f"kettle:blue {n}" for n in range(4))]


async def test_a_tap_hears_what_it_wants_from_now_on_and_counts_what_it_missed() -> None:
    async with running() as bus:
        bus.emit(KettleBoiled(kettle="blue", n=0))
        tap = bus.tap(KettleBoiled, room=2, keys=["kettle:blue"])
        for n in range(1, 5):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        bus.emit(KettleBoiled(kettle="red", n=5))
        bus.emit(KettleBroke(kettle="blue", n=6))
        heard = [await tap.receive(), await tap.receive()]
        await tap.aclose()
        with pytest.raises(anyio.EndOfStream):
            await tap.receive()
        assert bus.n_taps == 0
        shown = metrics(bus)

    assert [envelope.event.n for envelope in heard] == [3, 4]  # type: ignore[attr-defined]
    assert tap.n_missed == 2
    assert has(shown, 'events_shed_total{subscriber="taps",priority="normal"} 2')


async def test_a_handler_that_becomes_slow_is_given_less_and_metrics_show_it() -> None:
    is_slow = asyncio.Event()

    async def handle(_: Envelope) -> None:
        if is_slow.is_set():
            await asyncio.sleep(3_600)

    only_late = LimitRange(1, 8, 8, tolerance=1e9)  # on a busy machine all of them are slow
    wide = Subscription(
        "wide", (KettleBoiled,), handle, limits=only_late, timeout_s=0.05,
        retrying=Retrying(most_attempts=1),
    )  # fmt: skip
    async with running(wide) as bus:
        for n in range(20):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        await until(lambda: of(bus, "wide").counts["done"] == 20)
        before = metrics(bus)
        is_slow.set()
        for n in range(80):
            bus.emit(KettleBoiled(kettle="blue", n=n))
        await until(lambda: of(bus, "wide").limit < 4)
        n_late = of(bus, "wide").counts["timeout"]
        during = metrics(bus)

    assert has(before, 'events_limit{subscriber="wide"} 8')
    assert not has(during, 'events_limit{subscriber="wide"} 8')
    assert n_late > 0
    assert has(during, f'deliveries_total{{subscriber="wide",outcome="timeout"}} {n_late}')


async def test_a_tap_of_this_loop_hears_what_another_process_published(
    sqlite_world: World,
) -> None:
    thread = await anyio.to_thread.run_sync(sqlite_world.start)
    tap = thread.bus.tap(KettleBoiled, room=1)
    await anyio.to_thread.run_sync(lambda: sqlite_world.boil(6, 7))
    await until(lambda: tap.n_missed)
    with anyio.fail_after(LIMIT_S):
        envelope = await tap.receive()
    await tap.aclose()

    assert (envelope.event, envelope.seq) == (KettleBoiled(kettle="blue", n=7), 2)
    assert thread.describe() == "0 listening, 1 left out for them, 0 dead letters"
    assert has(thread.lines(), 'events_shed_total{subscriber="taps",priority="normal"} 1')


def test_what_a_bus_does_is_shown_to_prometheus(sqlite_world: World) -> None:
    kitchen = Kitchen()
    thread = sqlite_world.start(durable(kitchen))
    sqlite_world.boil(1, 2)
    kitchen.wait_for(2)
    thread.close()
    lines = metrics(thread.bus, n_behind={"kitchen": 3})

    assert has(lines, 'deliveries_total{subscriber="kitchen",outcome="done"} 2')
    assert has(lines, 'shed_total{subscriber="kitchen",priority="low"} 0')
    assert has(lines, 'behind{subscriber="kitchen"} 3')
    assert has(lines, 'duration_seconds_count{subscriber="kitchen"} 2')


def test_what_waits_in_the_database_is_counted_while_another_thread_loads_the_orm(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_loaded(*_: object) -> None:
        raise AttributeError("partially initialized module 'sqlalchemy.orm.exc'")

    thread = sqlite_world.start(durable(Kitchen()))
    monkeypatch.setattr("sqlalchemy.inspection.inspect", half_loaded)

    assert thread.levels("behind") == {"kitchen": 0}


def test_levels_are_told_while_the_bus_runs(sqlite_world: World) -> None:
    may_end = threading.Event()
    kitchen = Kitchen(lambda _: may_end.wait(LIMIT_S))
    thread = sqlite_world.start(durable(kitchen, limits=TWO))
    sqlite_world.boil(1, 2, 3)
    kitchen.wait_for(1)
    held = {name: thread.levels(name) for name in EVENT_LEVELS}
    may_end.set()
    kitchen.wait_for(3)
    thread.close()

    assert held == {"waiting": {"kitchen": 2}, "limit": {"kitchen": 2}, "stuck": {"kitchen": 0},
                    "behind": {"kitchen": 3}}  # fmt: skip
    assert [thread.levels(name) for name in EVENT_LEVELS] == [{}] * 4


def metrics(bus: EventBus, n_behind: Mapping[str, int] | None = None) -> list[str]:
    return page(bus.figures(), n_behind=n_behind or {}, taps=bus.counted_of_taps)


def has(lines: Iterable[str], end: str) -> bool:
    return any(line.endswith(end) for line in lines)


def test_names_are_given_once_and_a_durable_one_needs_a_log() -> None:
    with pytest.raises(InvalidInputError, match="of one name: a"):
        EventBus([Subscription("a", (), print), Subscription("a", (), print)])
    with pytest.raises(InvalidInputError, match="need a log: kitchen"):
        EventBus([durable(Kitchen())])


def test_a_bus_that_cannot_open_its_log_says_so_to_who_starts_it() -> None:
    def refuse() -> None:
        raise UnavailableError("the disk is full")

    thread = BusThread(EventBus(connect=refuse))  # type: ignore[arg-type]
    with pytest.raises(UnavailableError, match="disk is full"):
        thread.start()
    assert not thread.is_running
