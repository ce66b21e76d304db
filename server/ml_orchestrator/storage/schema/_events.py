"""Tables of events: what happened, and how far each durable subscriber is with it."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["event_consumers", "event_cursors", "event_deliveries", "event_log"]

_Seq = BigInteger().with_variant(Integer, "sqlite")

# The log is the outbox: an event is a row of the transaction that it tells of. Numbers are never
# used twice, also when the newest rows have been swept, or a cursor would pass over new ones.
event_log = Table(
    "event_log",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", String(512), nullable=False),
    Column("priority", Integer, nullable=False),  # 0 low .. 3 urgent
    Column("source", String(128), nullable=False),
    Column("at", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_event_log_band", "priority", "seq"),
    sqlite_autoincrement=True,
)

event_consumers = Table(
    "event_consumers",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),  # the process that works for it
    Column("token", Integer, nullable=False),  # grows with every change of holder
    Column("lease_until", String(32), nullable=False),
    Column("seen_at", String(32), nullable=False),
)

# How far a consumer has read: for each priority apart, so that a backlog of one does not hold up
# another, or for all together (-1) where it takes events in order.
event_cursors = Table(
    "event_cursors",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("band", Integer, primary_key=True),
    Column("cursor", _Seq, nullable=False),
)

# What was read and is not done. A row goes when its delivery is done.
event_deliveries = Table(
    "event_deliveries",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("event_seq", _Seq, primary_key=True),
    Column("key", String(512), nullable=False),
    Column("state", String(8), nullable=False),  # taken | waiting | dead
    Column("attempts", Integer, nullable=False),
    Column("not_before", String(32), nullable=False),
    Column("error", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("ix_event_deliveries_due", "consumer", "state", "not_before"),
    Index("ix_event_deliveries_event", "event_seq"),
)
