"""The parts of the bus that only reckon: kinds, queue, limit, retries, pace."""

import asyncio
import threading

import pytest
from anyio.to_thread import run_sync
from tests.orchestration.events.kettles import KettleBoiled

from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.orchestration.events.definition import (
    EVENTS,
    Event,
    Priority,
    StoredEvent,
    encode,
    event,
    unseal,
)
from ml_orchestrator.orchestration.events.feed import Pace, to_its_end
from ml_orchestrator.orchestration.events.limits import AdaptiveLimit, LimitRange
from ml_orchestrator.orchestration.events.retrying import Retrying, is_final
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.waiting import Bands

LOW, NORMAL, HIGH, URGENT = Priority


def stored(**more: object) -> StoredEvent:
    row: dict[str, object] = {
        "seq": 7, "id": "e7", "name": "kettle.boiled", "version": 1, "key": "kettle:blue",
        "priority": 1, "at": "2026-01-01T00:00:00+00:00", "source": "here",
        "payload": '{"kettle": "blue", "n": 3}',
    }  # fmt: skip
    return StoredEvent(**{**row, **more})  # type: ignore[arg-type]


def test_what_is_stored_is_read_as_it_was_and_new_fields_are_passed_over() -> None:
    read = unseal(stored(payload='{"kettle": "blue", "n": 3, "colour_of_2030": "red"}'))

    assert (read.event, read.seq, read.id) == (KettleBoiled(kettle="blue", n=3), 7, "e7")
    assert (read.key, read.priority, read.name) == ("kettle:blue", NORMAL, "kettle.boiled")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "reads up to 1. Upgrade"),
        ({"name": "kettle.sang"}, "No event named 'kettle.sang'"),
        ({"payload": "{}"}, "holds something else"),
        ({"payload": "{"}, "holds something else"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        unseal(stored(**change))


def test_a_name_is_registered_once_and_a_large_event_is_refused() -> None:
    with pytest.raises(ValueError, match="already registered"):

        @event("kettle.boiled")
        class Again(Event):
            pass

    with pytest.raises(InvalidInputError, match="is too large"):
        encode(KettleBoiled(kettle="x" * 40_000))
    assert EVENTS["kettle.boiled"] is KettleBoiled


def test_urgent_ones_go_first_and_within_a_priority_the_oldest() -> None:
    bands: Bands[str] = Bands(10)
    for name, priority in (("a", LOW), ("b", URGENT), ("c", LOW), ("d", HIGH), ("e", URGENT)):
        assert bands.offer(name, priority) is None

    assert [waiting.item for waiting in bands] == ["b", "e", "d", "a", "c"]
    assert bands.n_from(HIGH) == 3
    assert bands.take(HIGH) is not None
    assert [w.item for _ in range(5) if (w := bands.take())] == ["e", "d", "a", "c"]
    assert len(bands) == 0


def test_a_full_queue_lets_the_oldest_of_the_lowest_go_and_nothing_better_for_worse() -> None:
    bands: Bands[str] = Bands(2)
    bands.offer("old", LOW)
    bands.offer("new", LOW)

    shed = [bands.offer(name, p) for name, p in (("low", LOW), ("high", HIGH), ("urgent", URGENT))]
    refused = bands.offer("late", NORMAL)

    assert [w and w.item for w in shed] == ["old", "new", "low"]
    assert refused is not None
    assert refused.item == "late"
    assert [waiting.item for waiting in bands] == ["urgent", "high"]


def test_keys_that_are_busy_are_passed_over_and_what_is_put_back_is_first() -> None:
    bands: Bands[str] = Bands(10)
    for name, key in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        bands.offer(name, NORMAL, key)

    first = bands.take(busy={"a"})
    bands.put_back("a0", NORMAL, "a")

    assert first is not None
    assert first.item == "b1"
    assert [waiting.item for waiting in bands.drop_key("a")] == ["a0", "a1", "a2"]
    assert len(bands) == 0


def test_a_limit_grows_while_answers_are_quick_and_is_used() -> None:
    limit = AdaptiveLimit(LimitRange(least=1, first=2, most=8))
    for _ in range(200):
        limit.observe(0.01, n_at_once=limit.value)
    idle = AdaptiveLimit(LimitRange(least=1, first=4, most=8))
    for _ in range(200):
        idle.observe(0.01, n_at_once=1)

    assert (limit.value, idle.value) == (8, 4)


def test_a_handler_that_becomes_ten_times_slower_is_given_less_until_that_is_usual() -> None:
    limit = AdaptiveLimit(LimitRange(least=2, first=16, most=16))
    for _ in range(100):
        limit.observe(0.01, n_at_once=16)
    values = []
    for _ in range(600):
        limit.observe(0.1, n_at_once=limit.value)
        values.append(limit.value)

    assert min(values[:150]) == 2
    assert values[-1] == 16


def test_one_bad_round_cuts_once_and_timeouts_always_count() -> None:
    limit = AdaptiveLimit(LimitRange(least=1, first=10, most=10))
    for _ in range(20):
        limit.observe(0.01, n_at_once=10)
    limit.observe(0.01, n_at_once=10, has_failed=True)
    once = limit.value
    for _ in range(5):
        limit.observe(0.01, n_at_once=10, has_failed=True)

    assert (once, limit.value) == (8, 8)


@pytest.mark.parametrize(
    ("least", "first", "most", "tolerance"), [(0, 1, 1, 2), (2, 1, 3, 2), (1, 1, 1, 1)]
)
def test_a_range_that_makes_no_sense_is_refused(
    least: int, first: int, most: int, tolerance: float
) -> None:
    with pytest.raises(InvalidInputError, match="A range needs"):
        LimitRange(least, first, most, tolerance)


def test_pauses_double_up_to_the_longest_with_full_jitter_and_then_end() -> None:
    retrying = Retrying(most_attempts=5, first_s=1.0, longest_s=3.0)

    assert [retrying.pause_s(n, lambda: 1.0) for n in range(1, 6)] == [1.0, 2.0, 3.0, 3.0, None]
    assert retrying.pause_s(2, lambda: 0.25) == 0.5
    with pytest.raises(InvalidInputError, match="Retrying needs"):
        Retrying(most_attempts=0)


@pytest.mark.parametrize(
    ("error", "is_last"),
    [
        (NotFoundError("no"), True), (InvalidInputError("no"), True),
        (UnavailableError("later"), False), (ConflictError("later"), False),
        (ValueError("a defect"), False),
    ],
)  # fmt: skip
def test_our_refusals_are_final_unless_they_pass(error: Exception, is_last: bool) -> None:
    assert is_final(error) is is_last


def test_looks_are_frequent_after_news_and_rarer_with_each_in_vain() -> None:
    pace = Pace(least_s=0.01, most_s=0.05)
    waits = [pace.wait_s]
    for found in (True, False, False, False, False, False, True):
        pace.after(found=found)
        waits.append(pace.wait_s)
    pace.after(found=False)
    pace.hurry()

    assert waits == pytest.approx([0.05, 0.01, 0.016, 0.0256, 0.04096, 0.05, 0.05, 0.01])
    assert pace.wait_s == 0.01


@pytest.mark.parametrize("name", ["", "Big", "a b", "x" * 65])
def test_a_subscriber_has_a_plain_name_and_room(name: str) -> None:
    with pytest.raises(InvalidInputError, match="no name of a subscriber"):
        Subscription(name, (), print)
    with pytest.raises(InvalidInputError, match="needs room"):
        Subscription("fine", (), print, room=0)


async def test_who_is_cancelled_while_a_database_is_read_waits_for_the_end_of_that() -> None:
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        gate.wait()
        ended.set()

    reader = asyncio.create_task(to_its_end(read))
    await run_sync(begun.wait)
    reader.cancel()
    for _ in range(10):  # turns of the loop
        await asyncio.sleep(0)
    assert not reader.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert ended.is_set()
