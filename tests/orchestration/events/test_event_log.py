"""The log and what consumers make of it, on SQLite and on Postgres."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from tests.conftest import new_postgres_url
from tests.orchestration.events.kettles import (
    AT_ONCE,
    LIMIT_S,
    KettleBoiled,
    KettleBroke,
    Kitchen,
    World,
    durable,
)

from ml_orchestrator.errors import InvalidInputError, NotFoundError, UnavailableError
from ml_orchestrator.orchestration.events import _turns
from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.events._turns import Turns
from ml_orchestrator.orchestration.events.definition import Envelope, Priority, StoredEvent
from ml_orchestrator.orchestration.events.feed import Pace
from ml_orchestrator.orchestration.events.kinds import DeliveryFailed
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.turn import Rooms, Settled
from ml_orchestrator.storage.engine import open_database

OpenAgain = Callable[[], World]
ONE = LimitRange(1, 1, 1)


def test_an_event_is_published_if_and_only_if_its_transaction_is_committed(world: World) -> None:
    def fail(connection: Connection) -> None:
        world.outbox.publish(connection, KettleBoiled(kettle="blue", n=1))
        raise KeyError("the rest of the transaction")

    with pytest.raises(KeyError):
        world.database.write(fail)
    world.boil(2, 3)

    assert [event.payload for event in world.log.after(0)] == [
        '{"kettle":"blue","n":2}',
        '{"kettle":"blue","n":3}',
    ]
    first, second = world.log.after(0)
    assert (first.name, first.key, first.priority) == ("kettle.boiled", "kettle:blue", 1)
    assert world.log.after(first.seq) == (second,)
    assert world.log.newest() == second.seq


def test_an_id_is_published_once_and_names_what_it_may(world: World) -> None:
    for n in (1, 2):
        world.log.publish(world.outbox, KettleBoiled(kettle="blue", n=n), id="run-1:finished")
    with pytest.raises(InvalidInputError, match="1 to 64 characters"):
        world.log.publish(world.outbox, KettleBoiled(kettle="blue"), id="x" * 65)

    (event,) = world.log.after(0)
    assert (event.id, event.payload) == ("run-1:finished", '{"kettle":"blue","n":1}')


def test_a_consumer_is_handed_what_was_and_what_comes_in_order_of_weight(world: World) -> None:
    world.boil(1, priority=Priority.LOW)
    world.boil(2)
    world.log.publish(world.outbox, KettleBroke(kettle="red", n=3))
    kitchen = Kitchen()
    world.start(durable(kitchen, limits=ONE))
    kitchen.wait_for(3)
    world.boil(4)
    kitchen.wait_for(4)

    assert kitchen.numbers == [3, 2, 1, 4]


def test_a_new_consumer_begins_with_what_is_published_from_now_on(world: World) -> None:
    world.boil(1)
    kitchen, early = Kitchen(), Kitchen()
    world.start(durable(kitchen, starts="now"), durable(early, "early"))
    early.wait_for(1)  # both took their first turn when the bus began
    for n in range(2, 2_000):
        world.boil(n)
        if kitchen.seen:
            break
        threading.Event().wait(0.01)

    assert 1 not in kitchen.numbers
    kitchen.wait_for(1)


def test_one_process_at_a_time_works_for_a_consumer_and_the_next_goes_on(
    world: World, another: OpenAgain
) -> None:
    first, second, other = Kitchen(), Kitchen(), another()
    running = world.start(durable(first))
    world.boil(1)
    first.wait_for(1)
    other.start(durable(second))
    world.boil(*range(2, 50))
    first.wait_for(49)
    running.close()
    world.boil(50, 51)
    second.wait_for(2)

    assert sorted(first.numbers) == list(range(1, 50))
    assert sorted(second.numbers) == [50, 51]


def test_a_failure_is_tried_again_under_the_same_id_and_given_up_with_notice(
    world: World,
) -> None:
    def refuse(envelope: Envelope) -> None:
        raise ValueError(f"attempt on {envelope.id}")

    kitchen, told = Kitchen(refuse), Kitchen()
    notices = durable(told, "notices")
    object.__setattr__(notices, "event_names", (DeliveryFailed.event_kind.name,))
    world.start(durable(kitchen), notices)
    world.boil(1)
    told.wait_for(1)

    (letter,) = world.dead.letters()
    assert len(kitchen.seen) == AT_ONCE.most_attempts == letter.attempts
    assert {envelope.id for envelope in kitchen.seen} == {letter.event.id}
    assert letter.error == f"ValueError: attempt on {letter.event.id}"
    assert told.seen[0].event == DeliveryFailed(
        subscriber="kitchen", event_id=letter.event.id, event_name="kettle.boiled",
        error=letter.error,
    )  # fmt: skip
    assert world.dead.count() == 1


def test_what_cannot_help_is_given_up_at_once_and_can_be_replayed(world: World) -> None:
    broken = {1}

    def act(envelope: Envelope) -> None:
        if envelope.event.n in broken:  # type: ignore[attr-defined]
            raise NotFoundError("no such kettle")

    kitchen, told = Kitchen(act), Kitchen()
    notices = durable(told, "notices")
    object.__setattr__(notices, "event_names", (DeliveryFailed.event_kind.name,))
    running = world.start(durable(kitchen), notices)
    world.boil(1, 2)
    told.wait_for(1)
    (letter,) = world.dead.letters(consumer="kitchen")
    broken.clear()
    with pytest.raises(NotFoundError, match=rf"no dead letters 999; it has: {letter.event.seq}"):
        world.dead.replay("kitchen", [999])
    assert world.dead.replay("kitchen", [letter.event.seq]) == 1
    kitchen.wait_for(3)
    running.close()

    assert sorted(kitchen.numbers) == [1, 1, 2]
    assert world.dead.letters() == ()
    with pytest.raises(NotFoundError, match="known: kitchen, notices"):
        world.dead.replay("nobody")


def test_a_consumer_is_handed_everything_again_from_a_cursor(world: World) -> None:
    kitchen = Kitchen()
    running = world.start(durable(kitchen))
    world.boil(1, 2, 3)
    kitchen.wait_for(3)
    running.close()
    first = world.log.after(0)[0]
    assert world.dead.rewind("kitchen", first.seq) == 2
    with pytest.raises(InvalidInputError, match="nothing to replay"):
        world.dead.rewind("kitchen", 10**6)
    again = Kitchen()
    world.start(durable(again))
    again.wait_for(2)

    assert sorted(again.numbers) == [2, 3]
    assert {e.id for e in again.seen} < {e.id for e in kitchen.seen}


def test_a_consumer_at_work_is_handed_everything_again_at_once(
    world: World, another: OpenAgain
) -> None:
    kitchen = Kitchen()
    world.start(durable(kitchen))
    world.boil(1, 2, 3)
    kitchen.wait_for(3)
    while n_in_hand(world):
        threading.Event().wait(0.01)  # until the last is settled
    assert another().dead.rewind("kitchen", 0) == 3
    kitchen.wait_for(6)
    world.boil(4)
    kitchen.wait_for(7)

    assert sorted(kitchen.numbers) == [1, 1, 2, 2, 3, 3, 4]
    assert len({envelope.id for envelope in kitchen.seen}) == 4


def n_in_hand(world: World) -> int:
    """Return how many deliveries are in hand."""
    query = text("SELECT count(*) FROM event_deliveries")
    return int(world.database.read(lambda c: c.execute(query).scalar()) or 0)


def test_events_of_one_key_are_handled_in_order_although_one_is_tried_again(
    world: World,
) -> None:
    failed: set[str] = set()

    def fail_once(envelope: Envelope) -> None:
        number = envelope.event.n  # type: ignore[attr-defined]
        if number % 3 == 0 and envelope.id not in failed:
            failed.add(envelope.id)
            raise UnavailableError("a moment")
        done.append((envelope.key, number))

    done: list[tuple[str, int]] = []
    kitchen = Kitchen(fail_once)
    for n in range(1, 10):
        world.boil(n, kettle="blue" if n % 2 else "red", priority=Priority(n % 4))
    world.start(durable(kitchen, in_order=True))
    kitchen.wait_for(12)
    while len(done) < 9:
        threading.Event().wait(0.01)

    assert [n for key, n in done if key == "kettle:blue"] == [1, 3, 5, 7, 9]
    assert [n for key, n in done if key == "kettle:red"] == [2, 4, 6, 8]


def test_what_this_release_cannot_read_is_a_dead_letter_and_holds_nobody_up(world: World) -> None:
    world.boil(1)
    world.database.write(lambda c: c.execute(text("UPDATE event_log SET version = 9")))
    kitchen = Kitchen()
    running = world.start(durable(kitchen))
    world.boil(2)
    kitchen.wait_for(1)
    running.close()

    (letter,) = world.dead.letters()
    assert kitchen.numbers == [2]
    assert "Upgrade ml-orchestrator" in letter.error


def test_old_events_go_but_none_that_somebody_waits_for(world: World) -> None:
    def refuse(envelope: Envelope) -> None:
        if envelope.event.n == 2:  # type: ignore[attr-defined]
            raise NotFoundError("no such kettle")

    kitchen = Kitchen(refuse)
    running = world.start(durable(kitchen))
    world.boil(1, 2)
    kitchen.wait_for(2)
    running.close()
    world.boil(3)  # published, and read by nobody yet
    long_ago = text("UPDATE event_log SET at = '2020-01-01T00:00:00.000000+00:00'")
    world.database.write(lambda c: c.execute(long_ago))
    swept = world.log.sweep(keep_days=7.0)
    kept = [event.payload for event in world.log.after(0) if event.name == "kettle.boiled"]
    later = datetime.now(UTC) + timedelta(days=8)
    all_swept = world.log.sweep(keep_days=7.0, now=later)

    assert swept >= 1  # the notice of the dead letter may have gone with it
    assert kept == ['{"kettle":"blue","n":2}', '{"kettle":"blue","n":3}']
    assert all_swept >= 2  # the consumer was not at work for so long
    assert world.log.after(0) == ()
    world.boil(4)
    assert world.log.newest() > 3  # numbers are not used twice


def turns_of(
    world: World,
    subscription: Subscription,
    holder: str,
    *,
    ttl_s: float = 10.0,
    now: Callable[[Connection], datetime] | None = None,
) -> Turns:
    return Turns(
        world.database, subscription, holder=holder, ttl_s=ttl_s, outbox=world.outbox, now=now
    )


def test_a_process_that_died_leaves_its_deliveries_to_the_next_one_by_one(
    world: World,
) -> None:
    """Nobody hands back; the lease runs out. What died twice is handed out alone."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    subscription = durable(Kitchen())

    def part(holder: str) -> Turns:
        return turns_of(world, subscription, holder, now=lambda _: moment)

    world.boil(1, 2, 3)
    rooms = Rooms(10, 10)
    handed = []
    for holder in ("a", "b", "c", "d"):
        mine = part(holder)
        if holder != "a":
            busy = mine.take_turn([], rooms)
            assert (busy.is_holder, busy.due_in_s, busy.taken) == (False, 10.0, ())
        moment += timedelta(seconds=10.001)
        turn = mine.take_turn([], rooms)
        handed.append([(taken.event.seq, taken.attempt) for taken in turn.taken])
    first = part("a")
    late = first.take_turn([Settled(1, 1, "done")], rooms)

    assert handed == [
        [(1, 1), (2, 1), (3, 1)],
        [(1, 2), (2, 2), (3, 2)],
        [(1, 3)],
        [(2, 3)],
    ]
    assert not late.is_holder  # whoever lost the consumer settles nothing
    assert [(letter.event.seq, letter.attempts) for letter in world.dead.letters()] == [(1, 3)]


def test_a_clock_that_was_set_back_holds_up_neither_a_consumer_nor_a_retry(world: World) -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    subscription = durable(Kitchen())

    def part(holder: str) -> Turns:
        return turns_of(world, subscription, holder, now=lambda _: moment)

    def taken(turns: Turns, *settled: Settled) -> list[tuple[int, int]]:
        found = turns.take_turn(settled, Rooms(10, 10)).taken
        return [(each.event.seq, each.attempt) for each in found]

    world.boil(1, 2)
    dead, other = part("dead"), part("other")
    assert taken(dead) == [(1, 1), (2, 1)]
    moment -= timedelta(hours=1)
    assert other.peek().due_in_s == 0.0
    assert taken(other) == [(1, 2), (2, 2)]
    assert taken(other, Settled(1, 2, "waiting", 5.0), Settled(2, 2, "done")) == []
    moment -= timedelta(hours=1)
    assert other.peek().due_in_s == 0.0
    assert taken(other) == [(1, 3)]


def test_machines_whose_clocks_differ_leave_one_another_what_they_hold(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(open_database(new_postgres_url(postgres_server), tmp_path))
    subscription, ahead = durable(Kitchen()), timedelta(0)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    def part(holder: str) -> Turns:
        return turns_of(world, subscription, holder, ttl_s=60.0)

    monkeypatch.setattr(_turns, "datetime", Clock)
    world.boil(1)
    ours, theirs, rooms = part("ours"), part("theirs"), Rooms(10, 10)
    assert [each.event.seq for each in ours.take_turn([], rooms).taken] == [1]
    for hours in (-1, 1):
        ahead = timedelta(hours=hours)
        assert not theirs.peek().is_holder
        assert not theirs.take_turn([], rooms).is_holder
    ahead = timedelta(hours=1)
    ours.take_turn([Settled(1, 1, "waiting", 55.0)], rooms)
    ahead = timedelta(hours=-1)
    assert ours.take_turn([], rooms).taken == ()
    world.close()


def test_looks_become_frequent_only_after_what_somebody_waits_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a row of saves nobody here listens to, looks would take time of every save."""
    seen: list[tuple[str, ...] | bool] = []  # what looks read, and whether each was news
    has_read = threading.Event()
    usual_after, usual_pace = world.log.after, Pace.after

    def after(log: EventLog, seq: int, *, limit: int = 500) -> tuple[StoredEvent, ...]:
        if found := usual_after(seq, limit=limit):
            seen.append(tuple(event.name for event in found))
        return found

    def pace(self: Pace, *, found: bool) -> None:
        seen.append(found)
        usual_pace(self, found=found)
        if "kettle.boiled" in str(seen):
            has_read.set()

    monkeypatch.setattr(EventLog, "after", after)
    monkeypatch.setattr(Pace, "after", pace)
    kitchen = Kitchen()
    running = world.start(Subscription("broken", (KettleBroke,), kitchen))
    world.boil(1)
    assert has_read.wait(LIMIT_S)
    world.log.publish(world.outbox, KettleBroke(kettle="red", n=2))
    kitchen.wait_for(1)
    running.close()

    news = [seen[i + 1] for i, read in enumerate(seen[:-1]) if read == ("kettle.boiled",)]
    assert news == [False]
    assert True not in seen[: seen.index(("kettle.broke",))]
    assert seen[seen.index(("kettle.broke",)) + 1] is True
    assert kitchen.numbers == [2]


def test_nothing_is_written_while_nothing_happens(world: World) -> None:
    kitchen = Kitchen()
    running = world.start(durable(kitchen))
    world.boil(1)
    kitchen.wait_for(1)
    writes: list[str] = []
    usual = world.database.write
    deadline = threading.Event()

    def counting(work):  # type: ignore[no-untyped-def]
        writes.append("write")
        return usual(work)

    deadline.wait(0.3)  # the last delivery is settled
    world.database.write = counting  # type: ignore[method-assign]
    deadline.wait(0.5)

    assert writes == []
    assert running.is_running
