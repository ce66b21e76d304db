"""The bus of one process: subscribers, taps, and what connects them with the log."""

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from anyio.to_thread import run_sync

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration.events.definition import (
    Envelope,
    Event,
    Priority,
    StoredEvent,
    unseal,
)
from ml_orchestrator.orchestration.events.dispatcher import GRACE_S, Dispatcher
from ml_orchestrator.orchestration.events.feed import Feed, Pace, to_its_end
from ml_orchestrator.orchestration.events.figures import Figures, SubscriberFigures
from ml_orchestrator.orchestration.events.kinds import EventsReplayed, EventsShed
from ml_orchestrator.orchestration.events.ports import Connected
from ml_orchestrator.orchestration.events.pump import OURS, Pump
from ml_orchestrator.orchestration.events.subscription import Delivery, Outcome, Subscription
from ml_orchestrator.orchestration.events.taps import Tap

__all__ = ["EventBus"]

NOTICE_S = 1.0  # between two notices that one subscriber sheds
SWEEP_S = 3_600.0
FIRST_SWEEP_S = 60.0
REPLAYED = EventsReplayed.event_kind.name
_log = logging.getLogger(__name__)


class EventBus:
    """Hands events to the subscribers of this process.

    It runs on one event loop (``run``); taps may be opened on others. Without a log it is a bus of
    this process alone, and knows no durable subscribers.

    Args of the constructor:
        subscriptions: Who handles what, under different names.
        connect: Opens the log; None for none. It may block.
        source: Names this process in what it publishes.
        lease_s: How long a durable consumer stays with a process that says nothing.
        keep_days: How long events are kept.
        may_write: Whether this process may work for durable consumers and publish notices.

    Raises:
        InvalidInputError: a name is used twice, or a durable subscriber has no log.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription] = (),
        *,
        connect: Callable[[], Connected] | None = None,
        source: str = "here",
        lease_s: float = 10.0,
        keep_days: float = 7.0,
        may_write: bool = True,
    ) -> None:
        self._subscriptions = tuple(subscriptions)
        self._connect = connect
        self._source = source
        self._lease_s = lease_s
        self._keep_days = keep_days
        self._may_write = may_write
        self._taps: tuple[Tap, ...] = ()
        self._taps_lock = threading.Lock()
        self.counted_of_taps = Figures("taps")
        self._live: dict[str, Dispatcher] = {}
        self._pumps: dict[str, Pump] = {}
        self._unsaid: dict[str, dict[Priority, int]] = {}
        self._connected: Connected | None = None
        self._feed: Feed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        _check(self._subscriptions, has_log=connect is not None)

    async def run(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is called, or cancelled; ``ready`` is told when nothing is missed.

        Raises:
            UnavailableError: the log cannot be opened.
        """
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        for subscription in self._subscriptions:
            if not subscription.is_durable:
                self._live[subscription.name] = self._dispatcher(subscription)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = await self._begin(tasks)
                ready()
                await self._stop.wait()
                for pump in self._pumps.values():
                    pump.stop()
                for task in running:
                    task.cancel()
        finally:
            await asyncio.shield(self._end())

    def stop(self) -> None:
        """Let ``run`` come to its end; from any thread."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # its loop is closed already
                self._loop.call_soon_threadsafe(self._stop.set)

    def emit(self, event: Event, *, priority: Priority | None = None) -> Envelope:
        """Tell the subscribers and taps of this process alone; on the loop of the bus.

        It is not written anywhere, and durable subscribers do not hear it.
        """
        kind = event.event_kind
        envelope = Envelope(
            event=event,
            id=uuid.uuid4().hex,
            key=event.key,
            priority=kind.priority if priority is None else priority,
            at=datetime.now(UTC).isoformat(timespec="microseconds"),
            source=self._source,
        )
        self._hand_out(envelope)
        return envelope

    def tap(
        self,
        *events: type[Event],
        room: int = 256,
        keys: Iterable[str] | None = None,
    ) -> Tap:
        """Listen from now on, on the event loop of the caller; close it after use.

        Args:
            events: The types wanted; none is all of them.
            room: How many may wait.
            keys: Only events about these; None is all.
        """
        wanted = None if keys is None else frozenset(keys)
        opened = Tap(events, room=room, keys=wanted, closed=self._forget)
        with self._taps_lock:
            self._taps = (*self._taps, opened)
        self.poke()  # looks are more frequent from now on
        return opened

    def poke(self) -> None:
        """Look for news soon; from any thread."""
        if self._feed is not None:
            with suppress(RuntimeError):  # its loop is closed
                self._feed.poke()

    def figures(self) -> list[tuple[SubscriberFigures, Figures]]:
        """Return how each subscriber is; from any thread."""
        dispatchers = [*self._live.values(), *(p.dispatcher for p in self._pumps.values())]
        return [(each.figures(), each.counted) for each in dispatchers]

    def n_behind(self) -> dict[str, int]:
        """Return how many events wait in the database, by durable consumer; it asks there."""
        if self._connected is None:
            return {}
        return {name: turns.n_behind() for name, turns in self._connected.turns.items()}

    def n_dead(self) -> int:
        """Return how many dead letters there are; it asks the database."""
        return 0 if self._connected is None else self._connected.n_dead()

    @property
    def n_taps(self) -> int:
        """How many listen."""
        return len(self._taps)

    def _dispatcher(self, subscription: Subscription) -> Dispatcher:
        made: list[Dispatcher] = []

        def settle(delivery: Delivery, outcome: Outcome) -> None:
            self._settle_live(made[0], delivery, outcome)

        def shed(delivery: Delivery) -> None:
            self._note_shed(subscription.name, delivery.envelope.name, delivery.priority)

        made.append(Dispatcher(subscription, settle=settle, shed=shed))
        return made[0]

    async def _begin(self, tasks: asyncio.TaskGroup) -> list["asyncio.Task[None]"]:
        if self._connect is None:
            return []
        connected = self._connected = await run_sync(self._connect)
        self._feed = Feed(
            connected.log,
            connected.glance,
            heard=self._heard,
            pace=Pace(
                most_s=connected.longest_pause_s,
                attentive_s=connected.attentive_pause_s,
                is_attentive=lambda: bool(self._taps),
            ),
        )
        await self._feed.begin()
        running = [tasks.create_task(self._feed.run())]
        for subscription in self._subscriptions:
            if subscription.is_durable and self._may_write:
                turns = connected.turns[subscription.name]
                pump = Pump(subscription, turns, ttl_s=self._lease_s)
                self._pumps[subscription.name] = pump
                tasks.create_task(pump.run())
        if self._may_write:
            running.append(tasks.create_task(self._keep_sweeping(connected)))
        return running

    async def _end(self) -> None:
        for dispatcher in self._live.values():
            await dispatcher.close(GRACE_S)
        for pump in self._pumps.values():
            await pump.close(grace_s=GRACE_S)
        self._feed = None
        if self._connected is not None:
            await run_sync(self._connected.glance.close)

    async def _keep_sweeping(self, connected: Connected) -> None:
        await asyncio.sleep(FIRST_SWEEP_S)
        while True:
            for pump in self._pumps.values():
                pump.turn_soon()
            try:
                await to_its_end(lambda: connected.sweep(self._keep_days))
            except UnavailableError as error:
                _log.warning("Old events were not deleted: %s", error)
            await asyncio.sleep(SWEEP_S)

    def _heard(self, events: Sequence[StoredEvent]) -> bool:
        """Hand out what was read, and say whether anybody here waits for any of it."""
        names = {event.name for event in events}
        pumps = [pump for pump in self._pumps.values() if REPLAYED in names or pump.wants(names)]
        for pump in pumps:
            pump.news()
        wanted = [stored for stored in events if self._is_wanted(stored.name)]
        for stored in wanted:
            try:
                self._hand_out(unseal(stored))
            except InvalidInputError as error:
                _log.warning("An event was passed over: %s", error)
        return bool(pumps or wanted)

    def _is_wanted(self, name: str) -> bool:
        is_live = any(each.subscription.wants(name) for each in self._live.values())
        return is_live or any(tap.wants(name) for tap in self._taps)

    def _hand_out(self, envelope: Envelope) -> None:
        for dispatcher in self._live.values():
            if dispatcher.subscription.wants(envelope.name):
                dispatcher.offer(Delivery(envelope))
        for tap in self._taps:
            if tap.wants(envelope.name) and (gone := tap.put(envelope)) is not None:
                self.counted_of_taps.count_shed(gone)
                self._note_shed("taps", envelope.name, gone)

    def _settle_live(self, dispatcher: Dispatcher, delivery: Delivery, outcome: Outcome) -> None:
        if outcome.error is None:
            return
        retrying = dispatcher.subscription.retrying
        pause_s = None if outcome.is_final else retrying.pause_s(delivery.attempt)
        if pause_s is None:
            dispatcher.counted.count_dead()
            _log.error("%s gave up: %s", dispatcher.subscription.name, outcome.error)
            dispatcher.free(delivery.envelope.key)
        else:
            asyncio.get_running_loop().call_later(pause_s, dispatcher.again, delivery)

    def _note_shed(self, subscriber: str, event_name: str, priority: Priority) -> None:
        """Count an event that was left out, and say so soon; not of what the bus itself says."""
        if event_name.startswith(OURS):
            return
        if subscriber not in self._unsaid:
            self._unsaid[subscriber] = dict.fromkeys(Priority, 0)
            asyncio.get_running_loop().call_later(NOTICE_S, self._say_shed, subscriber)
        self._unsaid[subscriber][priority] += 1

    def _say_shed(self, subscriber: str) -> None:
        counts = self._unsaid.pop(subscriber)
        notice = EventsShed(
            subscriber=subscriber,
            n_low=counts[Priority.LOW],
            n_normal=counts[Priority.NORMAL],
            n_high=counts[Priority.HIGH],
            n_urgent=counts[Priority.URGENT],
        )
        _log.warning("%s cannot keep up: %d events left out", subscriber, sum(counts.values()))
        if self._connected is None or not self._may_write:
            self.emit(notice)
            return
        asyncio.get_running_loop().run_in_executor(None, self._publish, notice)

    def _publish(self, event: Event) -> None:
        assert self._connected is not None
        try:
            self._connected.publish(event)
        except UnavailableError as error:
            _log.warning("A notice was not published: %s", error)

    def _forget(self, tap: Tap) -> None:
        with self._taps_lock:
            self._taps = tuple(each for each in self._taps if each is not tap)


def _check(subscriptions: Sequence[Subscription], *, has_log: bool) -> None:
    names = [subscription.name for subscription in subscriptions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInputError(f"Subscribers of one name: {', '.join(twice)}.")
    durable = [each.name for each in subscriptions if each.is_durable]
    if durable and not has_log:
        raise InvalidInputError(f"Durable subscribers need a log: {', '.join(durable)}.")
