"""Publishing, taking, settling, dying, replaying, in any order: nothing is lost or doubled."""

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection
from tests.orchestration.events.kettles import KettleBoiled, Kitchen, durable

from ml_orchestrator.orchestration.events._dead import DeadLetters
from ml_orchestrator.orchestration.events._log import EventLog, Outbox
from ml_orchestrator.orchestration.events._turns import Turns
from ml_orchestrator.orchestration.events.definition import Priority
from ml_orchestrator.orchestration.events.turn import Rooms, Settled, Taken
from ml_orchestrator.storage.engine import open_database

MOST = 3  # attempts, as durable() has it
TTL_S = 10.0


class CrashError(Exception):
    pass


class EventMachine(RuleBasedStateMachine):
    """One consumer on SQLite, two processes that work for it, and what they should have done."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.database = open_database(f"sqlite:///{home / 'state.db'}", home)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.outbox, self.log = Outbox("machine"), EventLog(self.database)
        self.dead = DeadLetters(self.database)
        self.published: dict[int, str] = {}  # number to key
        self.handled: Counter[int] = Counter()
        self.hands: dict[str, dict[int, Taken]] = {"a": {}, "b": {}}
        self.in_order = False

    @initialize(in_order=st.booleans())
    def begin(self, in_order: bool) -> None:
        self.in_order = in_order
        self.subscription = durable(Kitchen(), in_order=in_order)
        self.parts = {name: self.part(name) for name in self.hands}

    def teardown(self) -> None:
        if hasattr(self, "parts"):
            self.drain()
        self.database.close()
        self.folder.cleanup()

    def part(self, holder: str) -> Turns:
        return Turns(
            self.database, self.subscription, holder=holder, ttl_s=TTL_S, outbox=self.outbox,
            now=lambda _: self.now,
        )  # fmt: skip

    @rule(
        key=st.sampled_from("xyz"),
        priorities=st.lists(st.sampled_from(Priority), min_size=1, max_size=3),
        commits=st.booleans(),
    )
    def publish(self, key: str, priorities: list[Priority], commits: bool) -> None:
        def work(connection: Connection) -> None:
            for priority in priorities:
                event = KettleBoiled(kettle=key)
                self.outbox.publish(connection, event, priority=priority)
            if not commits:
                raise CrashError

        newest = self.log.newest()
        try:
            self.database.write(work)
        except CrashError:
            assert self.log.newest() == newest
            return
        new = self.log.after(newest)
        assert len(new) == len(priorities)
        self.published |= {event.seq: event.key for event in new}

    @rule(who=st.sampled_from("ab"), high=st.integers(0, 3), rest=st.integers(0, 3))
    def take(self, who: str, high: int, rest: int) -> None:
        self.turn(who, [], Rooms(high, rest))

    @rule(who=st.sampled_from("ab"), ends=st.sampled_from(["done", "waiting", "dead"]))
    def settle_first(self, who: str, ends: str) -> None:
        """Settle the oldest delivery in hand; in order, nothing behind it of its key was begun."""
        if not self.hands[who]:
            return
        seq = min(self.hands[who])
        taken = self.hands[who].pop(seq)
        settled = [Settled(seq, taken.attempt, ends, 1.0 if ends == "waiting" else 0.0)]
        if ends == "waiting" and self.in_order:
            behind = [n for n, one in self.hands[who].items() if one.event.key == taken.event.key]
            for n in behind:
                settled.append(Settled(n, self.hands[who].pop(n).attempt - 1, "waiting", 1.0))
        turn = self.turn(who, settled, Rooms(0, 0))
        if turn and ends == "done":
            self.handled[seq] += 1

    def turn(self, who: str, settled: list[Settled], rooms: Rooms) -> bool:
        turn = self.parts[who].take_turn(settled, rooms)
        if not turn.is_holder:
            self.hands[who].clear()
            return False
        for taken in turn.taken:
            assert taken.event.seq not in self.hands[who]
            self.hands[who][taken.event.seq] = taken
        if self.in_order:
            self.check_order(turn.taken)
        return True

    def check_order(self, taken: tuple[Taken, ...]) -> None:
        """Nothing is handed out while something older of its key waits for its next attempt."""
        for one in taken:
            older = [n for n, key in self.published.items() if key == one.event.key]
            waiting = self.database.read(self.waiting)
            assert not [n for n in older if n < one.event.seq and n in waiting]

    def waiting(self, connection: Connection) -> set[int]:
        rows = connection.exec_driver_sql(
            "SELECT event_seq FROM event_deliveries WHERE state = 'waiting'"
        )
        return {row[0] for row in rows}

    @rule(who=st.sampled_from("ab"))
    def die(self, who: str) -> None:
        self.hands[who].clear()
        self.parts[who] = self.part(f"{who} again {self.now}")

    @rule(seconds=st.sampled_from([0.5, 2.0, TTL_S + 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def replay_the_dead(self) -> None:
        if self.dead.count():
            self.dead.replay("kitchen")

    @invariant()
    def every_event_is_somewhere(self) -> None:
        """Each is done, has a row, or lies beyond its cursor; none is handed to two at once."""
        if not hasattr(self, "parts"):
            return
        assert not set(self.handled) - set(self.published)
        assert all(n == 1 for n in self.handled.values())

    def drain(self) -> None:
        """Let a fresh process do everything that is left."""
        for hands in self.hands.values():
            hands.clear()
        for round_ in range(200):
            if self.dead.count():
                self.dead.replay("kitchen")
            self.now += timedelta(seconds=TTL_S + 1)
            self.parts["a"] = self.part(f"end {round_}") if round_ == 0 else self.parts["a"]
            self.turn("a", [], Rooms(50, 50))
            done = [Settled(n, one.attempt, "done") for n, one in self.hands["a"].items()]
            self.handled.update(self.hands["a"].keys())
            self.hands["a"].clear()
            assert self.turn("a", done, Rooms(0, 0)) or not done
            if set(self.handled) == set(self.published) and not self.parts["a"].n_behind():
                break
        assert set(self.handled) == set(self.published)
        assert all(n == 1 for n in self.handled.values())  # what was settled is not handed out


EventMachine.TestCase.settings = settings(
    derandomize=True, max_examples=8, stateful_step_count=20, deadline=None
)
TestEventMachine = EventMachine.TestCase
