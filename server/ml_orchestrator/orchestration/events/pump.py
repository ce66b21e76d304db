"""Bringing a durable subscriber its events, and taking in what became of them."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from anyio.to_thread import run_sync

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration.events.definition import Priority, unseal
from ml_orchestrator.orchestration.events.dispatcher import Dispatcher
from ml_orchestrator.orchestration.events.kinds import DeliveryFailed
from ml_orchestrator.orchestration.events.subscription import Delivery, Outcome, Subscription
from ml_orchestrator.orchestration.events.turn import Rooms, Settled, Taken, Turn

__all__ = ["Pump", "TurnPort", "failure_of"]

RETRY_S = 1.0
LONGEST_S = 30.0
SOONEST_S = 0.02
OURS = "events."  # names of what the bus says of itself; of these no notice is given
_log = logging.getLogger(__name__)


class TurnPort(Protocol):
    """The rows of a durable consumer; ``_turns.Turns`` is one. Methods may block."""

    def peek(self) -> Turn:
        """Look whether a turn would bring something."""
        ...

    def take_turn(self, settled: Sequence[Settled], rooms: Rooms, *, is_last: bool = False) -> Turn:
        """Hand in and take."""
        ...


class Pump:
    """Moves deliveries between the database and a dispatcher, on one event loop.

    Args of the constructor:
        ttl_s: How long the lease of the consumer lasts.
    """

    def __init__(self, subscription: Subscription, turns: TurnPort, *, ttl_s: float) -> None:
        self.dispatcher = Dispatcher(subscription, settle=self._settle, shed=self._hand_back)
        self._subscription = subscription
        self._turns = turns
        self._ttl_s = ttl_s
        self._wake = asyncio.Event()
        self._out: dict[int, Delivery] = {}
        self._settled: list[Settled] = []
        self._turned_at = float("-inf")
        self._wants_turn = True
        self._is_closing = False

    def wants(self, names: Iterable[str]) -> bool:
        """Whether the subscriber wants events of any of these names."""
        return any(self._subscription.wants(name) for name in names)

    def news(self) -> None:
        """Look soon: something was published."""
        self._wake.set()

    def turn_soon(self) -> None:
        """Take a turn even if nothing came, so that the cursors and the lease are up to date."""
        self._wants_turn = True
        self._wake.set()

    def stop(self) -> None:
        """Let ``run`` come to its end after the turn that it is at."""
        self._is_closing = True
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped."""
        due_in_s: float | None = 0.0
        while not self._is_closing:
            await self._sleep(due_in_s)
            self._wake.clear()
            due_in_s = await self._turn_if_needed()

    async def close(self, *, grace_s: float) -> None:
        """Let handlers end, hand back what was not begun and give the consumer up."""
        for delivery in await self.dispatcher.close(grace_s):
            self._hand_back(delivery)
        for delivery in list(self._out.values()):
            self._out.pop(_seq(delivery))
            self._settled.append(Settled(_seq(delivery), delivery.attempt, "waiting"))
        try:
            await run_sync(lambda: self._turns.take_turn(self._settled, Rooms(0, 0), is_last=True))
        except UnavailableError as error:
            _log.warning("%s was not given back: %s", self._subscription.name, error)

    async def _sleep(self, due_in_s: float | None) -> None:
        pause_s = LONGEST_S if due_in_s is None else min(max(due_in_s, SOONEST_S), LONGEST_S)
        if self._out:
            pause_s = min(pause_s, self._ttl_s / 3)  # the lease is renewed by a turn
        if self._wants_turn or self._settled:
            return
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn_if_needed(self) -> float | None:
        settled, self._settled = self._settled, []
        is_stale = bool(self._out) and time.monotonic() - self._turned_at > self._ttl_s / 3
        try:
            if not (settled or is_stale or self._wants_turn):
                seen = await run_sync(self._turns.peek)
                if seen.due_in_s != 0.0 or not self._has_room():
                    return seen.due_in_s or None
            self._wants_turn = False
            rooms = self._rooms()
            turn = await run_sync(lambda: self._turns.take_turn(settled, rooms))
        except UnavailableError as error:
            _log.warning("%s waits: %s", self._subscription.name, error)
            self._settled = settled + self._settled
            await asyncio.sleep(RETRY_S)
            return RETRY_S
        except asyncio.CancelledError:  # handed in or not, it is handed in at the end
            self._settled = settled + self._settled
            raise
        self._turned_at = time.monotonic()
        self._hand_out(turn)
        return turn.due_in_s

    def _hand_out(self, turn: Turn) -> None:
        if not turn.is_holder and self._out:
            _log.warning("Another process works for %s now", self._subscription.name)
            for delivery in self.dispatcher.withdraw_all():
                self._out.pop(_seq(delivery), None)
        for taken in turn.taken:
            self._offer(taken)

    def _offer(self, taken: Taken) -> None:
        try:
            delivery = Delivery(unseal(taken.event), taken.attempt)
        except InvalidInputError as error:
            notice = failure_of(
                self._subscription.name, taken.event.id, taken.event.name, str(error)
            )
            self.dispatcher.counted.count_dead()
            self._settled.append(
                Settled(taken.event.seq, taken.attempt, "dead", error=str(error), notice=notice)
            )
            return
        self._out[taken.event.seq] = delivery
        self.dispatcher.offer(delivery)

    def _has_room(self) -> bool:
        rooms = self._rooms()
        return rooms.high > 0 or rooms.rest > 0

    def _rooms(self) -> Rooms:
        """Return the rooms; each kind has its own, so that neither waits for the other's."""
        n_high = self.dispatcher.n_waiting(Priority.HIGH)
        n_rest = self.dispatcher.n_waiting(Priority.LOW) - n_high
        room = self._subscription.room
        if self._subscription.in_order:
            return Rooms(room - n_high - n_rest, room - n_high - n_rest)
        return Rooms(room - n_high, room - n_rest)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        if self._out.pop(_seq(delivery), None) is None:
            return  # another process has it
        if outcome.error is None:
            self._settled.append(Settled(_seq(delivery), delivery.attempt, "done"))
        else:
            self._settle_failed(delivery, outcome.error, is_final=outcome.is_final)
        self._wake.set()

    def _settle_failed(self, delivery: Delivery, error: str, *, is_final: bool) -> None:
        envelope, attempt = delivery.envelope, delivery.attempt
        pause_s = None if is_final else self._subscription.retrying.pause_s(attempt)
        notice = None
        if pause_s is None:
            self.dispatcher.counted.count_dead()
            notice = failure_of(self._subscription.name, envelope.id, envelope.name, error)
        state = "dead" if pause_s is None else "waiting"
        self._settled.append(Settled(_seq(delivery), attempt, state, pause_s or 0.0, error, notice))
        if self._subscription.in_order:
            if pause_s is not None:
                for behind in self.dispatcher.withdraw(envelope.key):
                    self._hand_back(behind, pause_s=pause_s)
            self.dispatcher.free(envelope.key)

    def _hand_back(self, delivery: Delivery, *, pause_s: float = 0.0) -> None:
        """Let a delivery that was not begun wait in the database again."""
        if self._out.pop(_seq(delivery), None) is not None:
            self._settled.append(Settled(_seq(delivery), delivery.attempt - 1, "waiting", pause_s))
            self._wake.set()


def failure_of(
    subscriber: str, event_id: str, event_name: str, error: str
) -> DeliveryFailed | None:
    """Return the notice of a delivery that was given up; none where it was a notice itself."""
    if event_name.startswith(OURS):
        return None
    return DeliveryFailed(
        subscriber=subscriber, event_id=event_id, event_name=event_name, error=error
    )


def _seq(delivery: Delivery) -> int:
    seq = delivery.envelope.seq
    assert seq is not None  # it came from the log
    return seq
