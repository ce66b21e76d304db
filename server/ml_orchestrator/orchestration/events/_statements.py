"""Statements of the log and of durable consumers, compiled once."""

from sqlalchemy import bindparam, func, select, text

from ml_orchestrator.storage.schema import event_consumers as consumers
from ml_orchestrator.storage.schema import event_cursors as cursors
from ml_orchestrator.storage.schema import event_deliveries as deliveries
from ml_orchestrator.storage.schema import event_log as log
from ml_orchestrator.storage.statements import Statement

__all__ = [
    "ABANDONED",
    "AFTER",
    "CURSORS",
    "DONE",
    "DUE",
    "HOLD",
    "HOLDER",
    "IN_ORDER",
    "MOVE",
    "NEWEST",
    "NOT_DONE",
    "NOW",
    "N_SUSPECT",
    "N_UNSETTLED",
    "TAKE",
    "WAITING",
]

IN_ORDER = -1  # the band of a consumer that reads all priorities together
HOLDER = Statement(select(consumers).where(consumers.c.consumer == bindparam("consumer")))
HOLD = Statement(
    text(
        "UPDATE event_consumers SET holder = :holder, token = :token, lease_until = :until, "
        "seen_at = :now WHERE consumer = :consumer"
    )
)
CURSORS = Statement(
    select(cursors.c.band, cursors.c.cursor).where(cursors.c.consumer == bindparam("consumer"))
)
MOVE = Statement(
    text("UPDATE event_cursors SET cursor = :cursor WHERE consumer = :consumer AND band = :band")
)
DONE = Statement(
    text("DELETE FROM event_deliveries WHERE consumer = :consumer AND event_seq = :seq")
)
NOT_DONE = Statement(
    text(
        "UPDATE event_deliveries SET state = :state, attempts = :attempts, error = :error, "
        "not_before = :not_before, updated_at = :now "
        "WHERE consumer = :consumer AND event_seq = :seq"
    )
)
TAKE = Statement(
    text(
        "INSERT INTO event_deliveries (consumer, event_seq, key, state, attempts, not_before, "
        "error, updated_at) "
        "VALUES (:consumer, :seq, :key, :state, :attempts, :not_before, '', :now) "
        "ON CONFLICT (consumer, event_seq) DO UPDATE SET state = excluded.state, "
        "attempts = excluded.attempts, not_before = excluded.not_before, "
        "updated_at = excluded.updated_at"
    )
)
WAITING = Statement(
    select(log, deliveries.c.attempts, deliveries.c.not_before, deliveries.c.error)
    .join(deliveries, deliveries.c.event_seq == log.c.seq)
    .where(deliveries.c.consumer == bindparam("consumer"), deliveries.c.state == "waiting")
    .order_by(log.c.seq)
)
N_UNSETTLED = Statement(
    select(func.count())
    .select_from(deliveries)
    .where(deliveries.c.consumer == bindparam("consumer"), deliveries.c.state != "dead")
)
DUE = Statement(
    select(func.min(deliveries.c.not_before)).where(
        deliveries.c.consumer == bindparam("consumer"),
        deliveries.c.state == "waiting",
        deliveries.c.not_before > bindparam("after"),
    )
)
N_SUSPECT = Statement(
    select(func.count())
    .select_from(deliveries)
    .where(
        deliveries.c.consumer == bindparam("consumer"),
        deliveries.c.state == "taken",
        deliveries.c.attempts > bindparam("most"),
        deliveries.c.error == bindparam("error"),
    )
)
AFTER = Statement(
    select(log).where(log.c.seq > bindparam("seq")).order_by(log.c.seq).limit(bindparam("n"))
)
NOW = Statement(select(func.clock_timestamp()))  # on Postgres
NEWEST = Statement(select(func.max(log.c.seq)))
ABANDONED = Statement(
    text(
        "UPDATE event_deliveries SET state = CASE WHEN attempts >= :most THEN 'dead' ELSE "
        "'waiting' END, error = :error, not_before = :now, updated_at = :now "
        "WHERE consumer = :consumer AND state = 'taken'"
    )
)
