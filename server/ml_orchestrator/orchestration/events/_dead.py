"""Deliveries that were given up, and handing events out again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, select, update

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.orchestration.events._log import Outbox, stored_event
from ml_orchestrator.orchestration.events.definition import StoredEvent
from ml_orchestrator.orchestration.events.kinds import EventsReplayed
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import event_consumers as consumers
from ml_orchestrator.storage.schema import event_cursors as cursors
from ml_orchestrator.storage.schema import event_deliveries as deliveries
from ml_orchestrator.storage.schema import event_log as log

__all__ = ["DeadLetter", "DeadLetters"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a consumer gave up; ``at`` is when, ISO 8601 UTC."""

    consumer: str
    event: StoredEvent
    attempts: int
    error: str
    at: str


class DeadLetters:
    """What consumers gave up. Thread- and process-safe.

    What is replayed is published, so that the process that works for the consumer looks at once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outbox = Outbox("events")

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(deliveries).where(deliveries.c.state == "dead")
        return int(self._database.read(lambda c: c.execute(query).scalar()) or 0)

    def letters(self, *, consumer: str | None = None, limit: int = 100) -> tuple[DeadLetter, ...]:
        """Return the newest, newest first, of one consumer or of all."""
        query = (
            select(log, deliveries.c.consumer, deliveries.c.attempts, deliveries.c.error)
            .add_columns(deliveries.c.updated_at)
            .join(deliveries, deliveries.c.event_seq == log.c.seq)
            .where(deliveries.c.state == "dead")
            .order_by(deliveries.c.updated_at.desc(), log.c.seq.desc())
            .limit(limit)
        )
        if consumer is not None:
            query = query.where(deliveries.c.consumer == consumer)
        rows = self._database.read(lambda c: c.execute(query).all())
        return tuple(
            DeadLetter(row.consumer, stored_event(row), row.attempts, row.error, row.updated_at)
            for row in rows
        )

    def replay(self, consumer: str, seqs: Sequence[int] = ()) -> int:
        """Let a consumer try dead letters again, those of ``seqs`` or all; return how many.

        Raises:
            NotFoundError: there is no such consumer, or no such dead letter of it.
        """
        values = {"state": "waiting", "attempts": 0, "not_before": _now(), "error": ""}
        here = (deliveries.c.consumer == consumer) & (deliveries.c.state == "dead")

        def work(connection: Connection) -> int:
            _require(connection, consumer)
            dead = set(connection.execute(select(deliveries.c.event_seq).where(here)).scalars())
            if missing := sorted(set(seqs) - dead):
                raise NotFoundError(
                    f"{consumer} has no dead letters {', '.join(map(str, missing))}; "
                    f"it has: {', '.join(map(str, sorted(dead)[:20])) or 'none'}."
                )
            chosen = here & deliveries.c.event_seq.in_(seqs) if seqs else here
            n = connection.execute(update(deliveries).where(chosen).values(values)).rowcount
            self._outbox.publish(connection, EventsReplayed(subscriber=consumer, n=n))
            return n

        return self._database.write(work)

    def rewind(self, consumer: str, after: int) -> int:
        """Let a consumer have every event after number ``after`` again; return how many at most.

        Its dead letters of these events go: they are handed out with the others.

        Raises:
            NotFoundError: there is no such consumer.
            InvalidInputError: it is further back already, so nothing would be replayed.
        """
        if after < 0:
            raise InvalidInputError(f"A cursor is 0 or more; found {after}.")

        def work(connection: Connection) -> int:
            _require(connection, consumer)
            mine = cursors.c.consumer == consumer
            moved = connection.execute(
                update(cursors).where(mine, cursors.c.cursor > after).values(cursor=after)
            )
            if moved.rowcount == 0:
                raise InvalidInputError(
                    f"{consumer} has not read beyond {after}, so there is nothing to replay."
                )
            connection.execute(
                delete(deliveries).where(
                    deliveries.c.consumer == consumer,
                    deliveries.c.event_seq > after,
                    deliveries.c.state == "dead",
                )
            )
            query = select(func.count()).select_from(log).where(log.c.seq > after)
            n = int(connection.execute(query).scalar() or 0)
            self._outbox.publish(connection, EventsReplayed(subscriber=consumer, n=n))
            return n

        return self._database.write(work)


def _require(connection: Connection, consumer: str) -> None:
    known = sorted(connection.execute(select(consumers.c.consumer)).scalars())
    if consumer not in known:
        raise NotFoundError(f"No consumer named {consumer!r}; known: {', '.join(known) or 'none'}.")


def _now() -> str:
    return timestamp(datetime.now(UTC))
