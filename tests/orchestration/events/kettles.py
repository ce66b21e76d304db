"""Events of kettles, and a bus on a database of its own."""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from ml_orchestrator.orchestration.events._connect import connect
from ml_orchestrator.orchestration.events._dead import DeadLetters
from ml_orchestrator.orchestration.events._log import EventLog, Outbox
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope, Event, Priority, event
from ml_orchestrator.orchestration.events.retrying import Retrying
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.storage.engine import Database

LIMIT_S = 20.0
AT_ONCE = Retrying(most_attempts=3, first_s=0.01, longest_s=0.02)


@event("kettle.boiled", about="kettle:{kettle}")
class KettleBoiled(Event):
    kettle: str
    n: int = 0


@event("kettle.broke", about="kettle:{kettle}", priority=Priority.URGENT)
class KettleBroke(Event):
    kettle: str
    n: int = 0


class Kitchen:
    """Notes what it was handed, and waits for a number of deliveries."""

    def __init__(self, act: Callable[[Envelope], Any] = lambda _: None) -> None:
        self.seen: list[Envelope] = []
        self._act = act
        self._changed = threading.Condition()

    def __call__(self, envelope: Envelope) -> None:
        with self._changed:
            self.seen.append(envelope)
            self._changed.notify_all()
        self._act(envelope)

    def wait_for(self, n: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= n, LIMIT_S), self.numbers

    def wait_for_numbers(self, *numbers: int) -> None:
        with self._changed:
            has_all = lambda: set(numbers) <= set(self.numbers)  # noqa: E731
            assert self._changed.wait_for(has_all, LIMIT_S), self.numbers

    @property
    def numbers(self) -> list[int]:
        return [envelope.event.n for envelope in self.seen]  # type: ignore[attr-defined]


class World:
    """A log, an outbox and the buses on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.outbox = Outbox("test")
        self.log = EventLog(database)
        self.dead = DeadLetters(database)
        self._threads: list[BusThread] = []

    def boil(self, *numbers: int, kettle: str = "blue", priority: Priority | None = None) -> None:
        """Publish an event for each number, in one transaction."""

        def work(connection: Connection) -> None:
            for n in numbers:
                self.outbox.publish(connection, KettleBoiled(kettle=kettle, n=n), priority=priority)

        self.database.write(work)

    def start(self, *subscriptions: Subscription, lease_s: float = 10.0) -> BusThread:
        """Run a bus with these subscribers until the test ends."""
        bus = EventBus(
            subscriptions,
            connect=lambda: connect(self.database, subscriptions, source="test", lease_s=lease_s),
            lease_s=lease_s,
        )
        self._threads.append(BusThread(bus).start())
        return self._threads[-1]

    def close(self) -> None:
        for thread in self._threads:
            thread.close()
        self.database.close()


def durable(kitchen: Kitchen, name: str = "kitchen", **more: Any) -> Subscription:
    """Return a durable subscription to kettles, which begins with the oldest event."""
    given = {"retrying": AT_ONCE, "starts": "beginning", **more}
    return Subscription(name, (KettleBoiled, KettleBroke), kitchen, is_durable=True, **given)
