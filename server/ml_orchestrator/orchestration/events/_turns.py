"""Durable consumers in the database: who works for one, what it has taken, how far it has read.

One process at a time holds a consumer, by a lease with a token that grows with every change. What
the holder has taken has a row; a row goes when its event is handled. Whoever takes a consumer
over finds the rows of the one before, and hands the events out again under the same ids.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from ml_orchestrator.orchestration.events import _statements as sql
from ml_orchestrator.orchestration.events._log import Outbox, named, stored_event
from ml_orchestrator.orchestration.events._statements import IN_ORDER
from ml_orchestrator.orchestration.events.definition import Priority, StoredEvent
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.turn import Rooms, Settled, Taken, Turn
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import event_consumers as consumers
from ml_orchestrator.storage.schema import event_cursors as cursors
from ml_orchestrator.storage.schema import event_log as log
from ml_orchestrator.storage.statements import Statement

__all__ = ["Turns"]

MOST_UNSETTLED = 2_000  # rows of one consumer; what is beyond waits in the log
# What lies so much further ahead than it can was noted before the clock was set back: all times
# here are by one clock.
ASTRAY_S = 60.0
DIED = "the process that handled it ended before it was done"
MOST_TOGETHER = 2  # deaths of their process after which deliveries are handed out one by one


class Turns:
    """The part of one process in one durable consumer. One thread at a time.

    Args of the constructor:
        holder: Names this process, as no other is named.
        ttl_s: How long the lease lasts without a turn.
        outbox: Publishes what a settled delivery gives notice of.
        now: Tells the time, which is one for all who share the database.
    """

    def __init__(
        self,
        database: Database,
        subscription: Subscription,
        *,
        holder: str,
        ttl_s: float,
        outbox: Outbox,
        now: Callable[[Connection], datetime] | None = None,
    ) -> None:
        self._database = database
        self._subscription = subscription
        self._holder = holder
        self._ttl_s = ttl_s
        self._outbox = outbox
        self._now = now or _time_of
        self._token: int | None = None
        self._me = {"consumer": subscription.name}
        self._bands = (IN_ORDER,) if subscription.in_order else tuple(sorted(Priority)[::-1])
        self._new = {band: self._statement(band) for band in self._bands}

    def peek(self) -> Turn:
        """Look, without writing, whether a turn would bring something."""
        return self._database.read(self._peek)

    def take_turn(self, settled: Sequence[Settled], rooms: Rooms, *, is_last: bool = False) -> Turn:
        """Hand in what is settled and take what there is room for, in one transaction.

        Args:
            settled: How deliveries of earlier turns ended.
            rooms: For how many more there is room.
            is_last: Give the consumer back afterwards.
        """
        before = self._token

        def work(connection: Connection) -> tuple[Turn, int | None]:
            self._token = before  # a transaction that is tried again begins anew
            turn = self._turn(connection, settled, rooms, is_last=is_last)
            return turn, self._token

        try:
            turn, self._token = self._database.write(work)
        except BaseException:
            self._token = before
            raise
        return turn

    def n_behind(self) -> int:
        """Return how many events wait for this consumer in the database, whoever holds it."""
        return self._database.read(self._count_behind)

    def _count_behind(self, connection: Connection) -> int:
        n = int(sql.N_UNSETTLED.scalar(connection, self._me) or 0)
        for band, cursor in self._cursors(connection).items():
            query = select(func.count()).select_from(log).where(log.c.seq > cursor)
            if band != IN_ORDER:
                # A plain number: of an enum SQLAlchemy 2.0 asks its ORM, half loaded by a thread.
                query = query.where(log.c.priority == int(band))
            if (condition := named(self._subscription.event_names)) is not None:
                query = query.where(condition)
            n += int(connection.execute(query).scalar() or 0)
        return n

    def _statement(self, band: int) -> Statement:
        query = select(log).where(log.c.seq > bindparam("cursor")).order_by(log.c.seq)
        if band != IN_ORDER:
            query = query.where(log.c.priority == bindparam("band"))
        if (condition := named(self._subscription.event_names)) is not None:
            query = query.where(condition)
        return Statement(query.limit(bindparam("n")))

    def _peek(self, connection: Connection) -> Turn:
        now = self._now(connection)
        row = sql.HOLDER.first(connection, self._me)
        if row is None:
            return Turn((), is_holder=True, due_in_s=0.0)
        if not self._is_ours(row) and self._is_held(row, now):
            until = datetime.fromisoformat(row.lease_until)
            return Turn((), is_holder=False, due_in_s=max(0.0, (until - now).total_seconds()))
        has_left = not self._is_ours(row) and sql.N_UNSETTLED.scalar(connection, self._me)
        if has_left or self._has_due(connection, now) or self._has_new(connection):
            return Turn((), is_holder=True, due_in_s=0.0)
        return Turn((), is_holder=True, due_in_s=self._due_in_s(connection, now))

    def _has_due(self, connection: Connection, now: datetime) -> bool:
        return any(self._is_due(row, now) for row in sql.WAITING.all(connection, self._me))

    def _is_due(self, row: Any, now: datetime) -> bool:
        """Whether a delivery that waits may be tried."""
        longest_s = self._subscription.retrying.longest_s + ASTRAY_S
        return not timestamp(now) < str(row.not_before) <= _later(now, longest_s)

    def _is_held(self, row: Any, now: datetime) -> bool:
        """Whether the lease of a consumer has not run out."""
        return timestamp(now) < str(row.lease_until) <= _later(now, self._ttl_s + ASTRAY_S)

    def _has_new(self, connection: Connection) -> bool:
        found = self._cursors(connection)
        return any(
            self._new[band].first(connection, {"cursor": found[band], "n": 1, **_of(band)})
            for band in self._bands
        )

    def _turn(
        self, connection: Connection, settled: Sequence[Settled], rooms: Rooms, *, is_last: bool
    ) -> Turn:
        now = self._now(connection)
        if (wait_s := self._hold(connection, now, is_last=is_last)) is not None:
            return Turn((), is_holder=False, due_in_s=wait_s)
        self._settle(connection, settled, now)
        if is_last:
            return Turn((), is_holder=False, due_in_s=None)
        taken = self._take(connection, rooms, now)
        return Turn(tuple(taken), is_holder=True, due_in_s=self._due_in_s(connection, now))

    def _hold(self, connection: Connection, now: datetime, *, is_last: bool) -> float | None:
        """Hold the consumer, and return None; or how long another will, in seconds."""
        at = timestamp(now)
        row = sql.HOLDER.first(connection, self._me)
        if row is None:
            self._begin(connection, at)
            row = sql.HOLDER.first(connection, self._me)
        if not self._is_ours(row):
            if is_last or self._is_held(row, now):
                until = datetime.fromisoformat(row.lease_until)
                self._token = None
                return max(0.0, (until - now).total_seconds())
            self._token = row.token + 1
            most = self._subscription.retrying.most_attempts
            sql.ABANDONED.change(connection, {**self._me, "most": most, "error": DIED, "now": at})
        lasts = timedelta(seconds=0 if is_last else self._ttl_s)
        held = {"holder": self._holder, "token": self._token, "until": timestamp(now + lasts)}
        sql.HOLD.change(connection, {**self._me, **held, "now": at})
        if is_last:
            self._token = None
        return None

    def _is_ours(self, row: Any) -> bool:
        return bool(row.holder == self._holder and row.token == self._token)

    def _begin(self, connection: Connection, at: str) -> None:
        """Enter a consumer that is new."""
        row = {"holder": "", "token": 0, "lease_until": "", "seen_at": at}
        connection.execute(insert(consumers).values(**self._me, **row))
        is_late = self._subscription.starts == "now"
        newest = int(sql.NEWEST.scalar(connection) or 0) if is_late else 0
        for band in self._bands:
            connection.execute(insert(cursors).values(**self._me, band=band, cursor=newest))

    def _cursors(self, connection: Connection) -> dict[int, int]:
        """Return how far each band has read; one that is missing, since ever."""
        found = {row.band: row.cursor for row in sql.CURSORS.all(connection, self._me)}
        return {band: int(found.get(band, 0)) for band in self._bands}

    def _settle(self, connection: Connection, settled: Sequence[Settled], now: datetime) -> None:
        sql.DONE.change_each(
            connection, [{**self._me, "seq": one.seq} for one in settled if one.state == "done"]
        )
        sql.NOT_DONE.change_each(
            connection,
            [
                {
                    **self._me,
                    "seq": one.seq,
                    "state": one.state,
                    "attempts": one.attempts,
                    "error": one.error,
                    "not_before": timestamp(now + timedelta(seconds=one.pause_s)),
                    "now": timestamp(now),
                }
                for one in settled
                if one.state != "done"
            ],
        )
        for one in settled:
            if one.notice is not None:
                self._outbox.publish(connection, one.notice)

    def _take(self, connection: Connection, rooms: Rooms, now: datetime) -> list[Taken]:
        room, at = {"high": rooms.high, "rest": rooms.rest}, timestamp(now)
        held_up: dict[str, str] = {}
        taken = self._take_again(connection, room, held_up, now)
        n_more = MOST_UNSETTLED - int(sql.N_UNSETTLED.scalar(connection, self._me) or 0)
        for band, cursor in self._cursors(connection).items():
            wanted = min(_room_of(room, band), n_more)
            if wanted <= 0:
                continue
            newest = int(sql.NEWEST.scalar(connection) or 0)
            rows = self._new[band].all(connection, {"cursor": cursor, "n": wanted, **_of(band)})
            new = [stored_event(row) for row in rows]
            reached = new[-1].seq if len(new) == wanted else newest
            if reached > cursor:
                sql.MOVE.change(connection, {**self._me, "band": band, "cursor": reached})
            self._enter(connection, new, held_up, at)
            free = [event for event in new if event.key not in held_up]
            taken += [Taken(event, 1) for event in free]
            n_more -= len(new)
            _use(room, band, len(free))
        return taken

    def _take_again(
        self, connection: Connection, room: dict[str, int], held_up: dict[str, str], now: datetime
    ) -> list[Taken]:
        """Take what waited and is due; in order, one that is not due holds its key up."""
        found: list[Taken] = []
        at = timestamp(now)
        suspect = {"most": MOST_TOGETHER, "error": DIED}
        is_alone = bool(sql.N_SUSPECT.scalar(connection, {**self._me, **suspect}))
        for row in sql.WAITING.all(connection, self._me):
            band = IN_ORDER if self._subscription.in_order else row.priority
            is_suspect = row.error == DIED and row.attempts >= MOST_TOGETHER
            is_free = _room_of(room, band) > 0 and not (is_suspect and is_alone)
            if not self._is_due(row, now) or row.key in held_up or not is_free:
                if self._subscription.in_order:
                    held_up.setdefault(row.key, row.not_before)
                continue
            is_alone |= is_suspect
            _use(room, band, 1)
            found.append(Taken(stored_event(row), row.attempts + 1))
        sql.TAKE.change_each(
            connection,
            [self._row(one.event, "taken", one.attempt, at, at) for one in found],
        )
        return found if self._subscription.in_order else sorted(found, key=_urgent_first)

    def _enter(
        self,
        connection: Connection,
        new: Sequence[StoredEvent],
        held_up: Mapping[str, str],
        now: str,
    ) -> None:
        """Enter new events as taken, or as waiting behind one of their key that waits."""
        rows = [
            self._row(event, "waiting", 0, held_up[event.key], now)
            if event.key in held_up
            else self._row(event, "taken", 1, now, now)
            for event in new
        ]
        sql.TAKE.change_each(connection, rows)

    def _row(
        self, event: StoredEvent, state: str, attempts: int, not_before: str, now: str
    ) -> dict[str, Any]:
        what = {"seq": event.seq, "key": event.key, "state": state, "attempts": attempts}
        return {**self._me, **what, "not_before": not_before, "now": now}

    def _due_in_s(self, connection: Connection, now: datetime) -> float | None:
        due = sql.DUE.scalar(connection, {**self._me, "after": timestamp(now)})
        if due is None:
            return None
        return max(0.0, (datetime.fromisoformat(due) - now).total_seconds())


def _time_of(connection: Connection) -> datetime:
    """Return the time by the clock of a database, which machines share; theirs may differ."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    found: datetime = sql.NOW.scalar(connection)
    return found


def _later(now: datetime, seconds: float) -> str:
    return timestamp(now + timedelta(seconds=seconds))


def _of(band: int) -> dict[str, int]:
    return {} if band == IN_ORDER else {"band": band}


def _rooms_of(band: int) -> tuple[str, ...]:
    """Return which rooms a band takes from; events in order share all."""
    if band == IN_ORDER:
        return "high", "rest"
    return ("high",) if band >= Priority.HIGH else ("rest",)


def _room_of(room: Mapping[str, int], band: int) -> int:
    return min(room[name] for name in _rooms_of(band))


def _use(room: dict[str, int], band: int, n: int) -> None:
    for name in _rooms_of(band):
        room[name] -= n


def _urgent_first(one: Taken) -> tuple[int, int]:
    return -one.event.priority, one.event.seq
