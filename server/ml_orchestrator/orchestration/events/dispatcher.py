"""Handing deliveries to a handler: as many at once as it can take, and no more.

Plain asyncio, not anyio: a cancel scope of anyio 4.16 cancels again and again what does not stop,
which would cost a whole processor for a handler that ignores it. Here a handler is told once,
and after ``GRACE_S`` it keeps its task and loses its place.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration.events.definition import Envelope, Priority
from ml_orchestrator.orchestration.events.figures import Figures, SubscriberFigures
from ml_orchestrator.orchestration.events.limits import AdaptiveLimit
from ml_orchestrator.orchestration.events.retrying import is_final
from ml_orchestrator.orchestration.events.subscription import Delivery, Outcome, Subscription
from ml_orchestrator.orchestration.events.waiting import Bands

__all__ = ["GRACE_S", "MOST_STUCK", "Dispatcher"]

GRACE_S = 1.0
MOST_STUCK = 8
MOST_ERROR = 500  # characters
DONE = Outcome()
_log = logging.getLogger(__name__)


class _Hold:
    """A delivery in the hands of a task since ``began_at``, one of ``n_at_once`` then."""

    __slots__ = ("began_at", "delivery", "is_given_up", "is_late", "n_at_once", "task", "timer")

    def __init__(
        self, delivery: Delivery, task: "asyncio.Task[None]", *, n_at_once: int, began_at: float
    ) -> None:
        self.delivery = delivery
        self.task = task
        self.n_at_once = n_at_once
        self.began_at = began_at
        self.timer: asyncio.TimerHandle | None = None
        self.is_late = self.is_given_up = False


class Dispatcher:
    """Lets deliveries of one subscriber wait by priority, and handles them.

    High and urgent ones are not held up by what the others have taught its limit: they begin as
    long as fewer than ``limits.most`` are being handled. Where order is kept, all wait alike.

    Every method is called on one event loop, except ``figures``.

    Args of the constructor:
        subscription: Who it works for.
        settle: Told how each delivery ended; it must not block.
        shed: Told of each delivery that had to go because others came; it must not block.
        clock: Gives the time in seconds, from any beginning.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        settle: Callable[[Delivery, Outcome], None],
        shed: Callable[[Delivery], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.subscription = subscription
        self.counted = Figures(subscription.name)
        self._settle = settle
        self._shed = shed
        self._clock = clock
        self._limit = AdaptiveLimit(subscription.limits)
        # Of a durable one urgent deliveries and the rest have room each, and none is let go.
        room = subscription.room * (2 if subscription.is_durable else 1)
        self._waiting: Bands[Delivery] = Bands(room)
        self._busy: set[str] = set()
        self._holds: dict[asyncio.Task[None], _Hold] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._n_stuck = 0
        self._given_up: set[asyncio.Task[None]] = set()  # a loop keeps no hold of its tasks
        self._is_closing = False

    def offer(self, delivery: Delivery) -> None:
        """Let a delivery wait; where there is no room, the least of all goes."""
        delivery.arrived_at = self._clock()
        gone = self._waiting.offer(delivery, self._rank(delivery), delivery.envelope.key)
        if gone is not None:
            self.counted.count_shed(gone.item.priority)
            self._shed(gone.item)
        self._staff()

    def n_waiting(self, least: Priority) -> int:
        """Return how many deliveries of ``least`` priority and higher wait."""
        return self._waiting.n_from(least)

    def again(self, delivery: Delivery) -> None:
        """Let a delivery that has failed be the next of its key and priority."""
        delivery.attempt += 1
        self._waiting.put_back(delivery, self._rank(delivery), delivery.envelope.key)
        self.free(delivery.envelope.key)

    def withdraw(self, key: str) -> list[Delivery]:
        """Take back what waits for one key, in order."""
        return [waiting.item for waiting in self._waiting.drop_key(key)]

    def withdraw_all(self) -> list[Delivery]:
        """Take back everything that waits."""
        waiting = [waiting.item for waiting in self._waiting]
        self._waiting = Bands(self._waiting.room)
        return waiting

    def free(self, key: str) -> None:
        """Let the next delivery of a key go, which a failed one has held up."""
        self._busy.discard(key)
        self._staff()

    def figures(self) -> SubscriberFigures:
        """Return how the subscriber is."""
        return SubscriberFigures(
            name=self.subscription.name,
            is_durable=self.subscription.is_durable,
            n_waiting=len(self._waiting),
            n_active=len(self._holds),
            limit=self._limit.value,
            n_stuck=self._n_stuck,
            counts=dict(self.counted.counts),
            n_shed=dict(self.counted.n_shed),
        )

    async def close(self, grace_s: float = GRACE_S) -> list[Delivery]:
        """Stop, and return what waited; handlers are given ``grace_s`` to come to an end."""
        self._is_closing = True
        left = self.withdraw_all()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=grace_s)
        return left

    def _rank(self, delivery: Delivery) -> Priority:
        """Return where a delivery waits; where order is kept, none overtakes."""
        return Priority.NORMAL if self.subscription.in_order else delivery.priority

    def _staff(self) -> None:
        """Begin with what waits, if more may be handled at once."""
        has_high = self._waiting.n_from(Priority.HIGH) > 0
        n_places = self._limit.most if has_high else self._limit.for_the_rest
        if len(self._workers) >= n_places or not len(self._waiting) or self._is_closing:
            return
        worker = asyncio.get_running_loop().create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    def _next(self) -> Delivery | None:
        n_active = len(self._holds)
        if n_active >= self._limit.most or self._is_closing or self._n_stuck >= MOST_STUCK:
            return None
        least = Priority.LOW if n_active < self._limit.for_the_rest else Priority.HIGH
        waiting = self._waiting.take(least, self._busy)
        return None if waiting is None else waiting.item

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while (delivery := self._next()) is not None:
            n_at_once = len(self._holds) + 1
            hold = _Hold(delivery, task, n_at_once=n_at_once, began_at=self._clock())
            self._holds[task] = hold
            if self.subscription.in_order:
                self._busy.add(delivery.envelope.key)
            outcome = await self._handled(hold)
            if hold.is_given_up:
                self._n_stuck -= 1
                self._staff()
                return
            self._end(hold, outcome)
        self._workers.discard(task)  # at once: what is offered next needs another

    async def _handled(self, hold: _Hold) -> Outcome:
        loop = asyncio.get_running_loop()
        hold.timer = loop.call_later(self.subscription.timeout_s, self._time_out, hold)
        try:
            await self._call(hold.delivery.envelope)
            outcome = DONE
        except asyncio.CancelledError:
            if self._is_closing and not hold.is_late:
                raise  # the delivery was never settled
            outcome = self._late() if hold.is_late else Outcome("its handler cancelled itself")
        except Exception as error:  # noqa: BLE001 a handler's defect is its own
            outcome = self._failed(hold.delivery, error)
        finally:
            hold.timer.cancel()
        if hold.is_late:
            hold.task.uncancel()
            with suppress(asyncio.CancelledError):  # one that came as the handler ended
                await asyncio.sleep(0)
        return outcome

    async def _call(self, envelope: Envelope) -> None:
        handle = self.subscription.handle
        if self.subscription.is_coroutine:
            await handle(envelope)  # type: ignore[misc]
        else:
            await self._in_thread(handle, envelope)

    async def _in_thread(self, handle: Callable[[Envelope], object], envelope: Envelope) -> None:
        """Run a plain function in a thread that nobody waits for at the end of the process."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            error: BaseException | None = None
            try:
                handle(envelope)
            except BaseException as raised:  # noqa: BLE001 handed to who waits
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._thread_ended, over, error)

        threading.Thread(target=run, name=f"event-{self.subscription.name}", daemon=True).start()
        try:
            await over
        except asyncio.CancelledError:
            self._n_stuck += 1  # the thread itself goes on
            raise

    def _thread_ended(self, over: "asyncio.Future[None]", error: BaseException | None) -> None:
        if over.done():
            self._n_stuck -= 1
            self._staff()
        elif error is None:
            over.set_result(None)
        else:
            over.set_exception(
                error if isinstance(error, Exception) else RuntimeError(repr(error)[:MOST_ERROR])
            )

    def _time_out(self, hold: _Hold) -> None:
        hold.is_late = True
        hold.task.cancel()
        hold.timer = asyncio.get_running_loop().call_later(GRACE_S, self._give_up, hold)

    def _give_up(self, hold: _Hold) -> None:
        """Settle a delivery whose handler does not stop, and let others have its place."""
        hold.is_given_up = True
        self._n_stuck += 1
        self._workers.discard(hold.task)
        self._given_up.add(hold.task)
        hold.task.add_done_callback(self._given_up.discard)
        _log.error("A handler of %s does not stop when told to", self.subscription.name)
        self._end(hold, self._late())

    def _late(self) -> Outcome:
        return Outcome(f"no answer within {self.subscription.timeout_s:g} s")

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        name = self.subscription.name
        if isinstance(error, OrchestratorError):
            _log.warning("%s refused event %s: %s", name, delivery.envelope.id, error)
            return Outcome(str(error)[:MOST_ERROR], is_final=is_final(error))
        _log.error("%s failed on event %s", name, delivery.envelope.id, exc_info=error)
        return Outcome(f"{type(error).__name__}: {error}"[:MOST_ERROR])

    def _end(self, hold: _Hold, outcome: Outcome) -> None:
        del self._holds[hold.task]
        took_s = self._clock() - hold.began_at
        self._limit.observe(took_s, n_at_once=hold.n_at_once, has_failed=hold.is_late)
        kind = "done" if outcome.error is None else "timeout" if hold.is_late else "failed"
        self.counted.count(kind, took_s)
        if self.subscription.in_order and outcome.error is None:
            self._busy.discard(hold.delivery.envelope.key)
        self._settle(hold.delivery, outcome)
        self._staff()
