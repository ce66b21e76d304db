"""The log of events in the state database: publishing into it and reading it.

Writers go one at a time (``storage.engine``), so numbers are in the order of commits, and who has
read up to one number has missed none below it.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, text
from sqlalchemy.sql import ColumnElement

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.events._statements import AFTER, IN_ORDER, NEWEST
from ml_orchestrator.orchestration.events.definition import Event, Priority, StoredEvent, encode
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import event_consumers as consumers
from ml_orchestrator.storage.schema import event_cursors as cursors
from ml_orchestrator.storage.schema import event_deliveries as deliveries
from ml_orchestrator.storage.schema import event_log as log
from ml_orchestrator.storage.statements import Statement

__all__ = ["CHANNEL", "EventLog", "Outbox", "named", "shown", "stored_event"]

CHANNEL = "ml_orchestrator_events"  # of Postgres
MOST_ID = 64
SWEPT_AT_ONCE = 5_000
_ADD = Statement(
    text(
        "INSERT INTO event_log (id, name, version, key, priority, source, at, payload) VALUES "
        "(:id, :name, :version, :key, :priority, :source, :at, :payload) "
        "ON CONFLICT (id) DO NOTHING"
    )
)


class Outbox:
    """Publishes events inside the transactions that they tell of.

    Args of the constructor:
        source: Names this process.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def publish(
        self,
        connection: Connection,
        event: Event,
        *,
        id: str | None = None,
        priority: Priority | None = None,
    ) -> str:
        """Publish an event if and only if the transaction of ``connection`` is committed.

        Args:
            connection: Inside ``Database.write``.
            event: What happened.
            id: Names the event, at most 64 characters; one that is known already is not published
                again. None makes a new one.
            priority: None takes the one of its kind.

        Returns:
            The event's id.

        Raises:
            InvalidInputError: the event is too large, or the id too long or empty.
        """
        kind = event.event_kind
        event_id = uuid.uuid4().hex if id is None else id
        if not 1 <= len(event_id) <= MOST_ID:
            raise InvalidInputError(f"An event's id has 1 to {MOST_ID} characters: {event_id!r}.")
        row = {
            "id": event_id,
            "name": kind.name,
            "version": kind.version,
            "key": event.key,
            "priority": int(kind.priority if priority is None else priority),
            "source": self._source,
            "at": timestamp(),
            "payload": encode(event),
        }
        _ADD.change(connection, row)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")  # heard when the transaction commits
        return event_id


class EventLog:
    """Reads the log; thread- and process-safe."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def newest(self) -> int:
        """Return the number of the newest event; 0 for an empty log."""
        return int(self.database.read(NEWEST.scalar) or 0)

    def has(self, event_id: str) -> bool:
        """Whether an event of this id is in the log."""
        query = select(log.c.seq).where(log.c.id == event_id)
        return self.database.read(lambda c: c.execute(query).first()) is not None

    def after(
        self, seq: int, *, limit: int = 500, names: Sequence[str] = ()
    ) -> tuple[StoredEvent, ...]:
        """Return the first events after a number, oldest first.

        Args:
            seq: A cursor: the number of the last event that was read, 0 for none.
            limit: How many at most.
            names: Only events of these names; none is all.
        """
        if names:
            query = select(log).where(log.c.seq > seq, log.c.name.in_(names))
            query = query.order_by(log.c.seq).limit(limit)
            rows = self.database.read(lambda c: c.execute(query).all())
        else:  # every process reads so, again and again
            rows = self.database.read(lambda c: AFTER.all(c, {"seq": seq, "n": limit}))
        return tuple(stored_event(row) for row in rows)

    def last(self, *, limit: int, names: Sequence[str] = ()) -> tuple[StoredEvent, ...]:
        """Return the newest events, oldest first."""
        query = select(log).order_by(log.c.seq.desc()).limit(limit)
        if names:
            query = query.where(log.c.name.in_(names))
        rows = self.database.read(lambda c: c.execute(query).all())
        return tuple(stored_event(row) for row in reversed(rows))

    def publish(self, outbox: Outbox, event: Event, *, id: str | None = None) -> str:
        """Publish an event that is the whole transaction, and return its id."""
        return self.database.write(lambda connection: outbox.publish(connection, event, id=id))

    def sweep(self, *, keep_days: float, now: datetime | None = None) -> int:
        """Delete events older than ``keep_days`` days that nobody waits for.

        What a durable consumer still has to handle stays, and a dead letter keeps its event; a
        consumer that was not at work for that long waits for nothing any more.

        Returns:
            How many were deleted; at most ``SWEPT_AT_ONCE`` a call, for writers wait meanwhile.
        """
        limit = timestamp((now or datetime.now(UTC)) - timedelta(days=keep_days))
        return self.database.write(lambda connection: _sweep(connection, limit))


def named(names: Sequence[str]) -> ColumnElement[bool] | None:
    """Return the condition that an event has one of these names; None for any."""
    if not names:
        return None
    return or_(*(log.c.name == bindparam(f"name_{i}", name) for i, name in enumerate(names)))


def stored_event(row: Any) -> StoredEvent:
    """Return a row of the log as a record."""
    return StoredEvent(
        seq=int(row.seq),
        id=row.id,
        name=row.name,
        version=row.version,
        key=row.key,
        priority=row.priority,
        at=row.at,
        source=row.source,
        payload=row.payload,
    )


def _sweep(connection: Connection, limit: str) -> int:
    """Delete what is older than ``limit`` and read by all; consumers long gone first."""
    gone = connection.execute(select(consumers.c.consumer).where(consumers.c.seen_at < limit))
    names = gone.scalars().all()
    for table in (deliveries, cursors, consumers):
        connection.execute(delete(table).where(table.c.consumer.in_(names)))
    unread = select(cursors.c.consumer).where(
        cursors.c.band.in_([IN_ORDER, log.c.priority]), cursors.c.cursor < log.c.seq
    )
    waited_for = select(deliveries.c.event_seq).where(deliveries.c.event_seq == log.c.seq)
    old = (
        select(log.c.seq)
        .where(log.c.at < limit, ~unread.exists(), ~waited_for.exists())
        .order_by(log.c.seq)
        .limit(SWEPT_AT_ONCE)
    )
    return connection.execute(delete(log).where(log.c.seq.in_(old))).rowcount


def shown(stored: StoredEvent) -> dict[str, Any]:
    """Return an event as JSON values, its payload unfolded."""
    names = ("seq", "id", "name", "version", "key", "priority", "at", "source")
    return {
        **{name: getattr(stored, name) for name in names},
        "payload": json.loads(stored.payload),
    }
