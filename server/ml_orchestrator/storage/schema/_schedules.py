"""Table of what is due at its time."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["schedules"]

schedules = Table(
    "schedules",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("cron", String(128)),  # this or every_s
    Column("every_s", Float),
    Column("zone", String(64), nullable=False),  # of cron; an IANA name
    Column("is_enabled", Integer, nullable=False),
    Column("next_due_at", String(32), nullable=False),
    Column("last_due_at", String(32)),
    Column("n_due", Integer, nullable=False),  # times that came due so far
    Column("handed_to", String(64)),  # who has claimed the last one and not settled it
    Column("handed_at", String(32)),
    Column("last_error", Text),
    Column("created_at", String(32), nullable=False),
    Column("home_id", String(64)),  # the data directory whose workers start it; null: any
    Column("content", Text),  # what is started, if only a file of that directory has it besides
    Index("ix_schedules_due", "is_enabled", "next_due_at"),
)
