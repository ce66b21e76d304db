"""Tables of monitors: what they watch, what they saw, and the alerts they opened."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["alerts", "monitor_looks", "monitors"]

monitors = Table(
    "monitors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("spec", Text, nullable=False),  # JSON
    Column("is_paused", Integer, nullable=False),
    Column("condition", Text, nullable=False),  # JSON; what the looks so far add up to
    Column("n_looks", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

monitor_looks = Table(
    "monitor_looks",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("monitor", String(64), ForeignKey("monitors.name"), nullable=False),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("at", String(32), nullable=False),
    Column("verdict", String(16), nullable=False),  # good | bad | no_data | unchanged
    Column("summary", Text, nullable=False),
    Column("findings", Text, nullable=False),  # JSON
    Index("ix_monitor_looks", "monitor", "seq"),
)

# An alert outlives its monitor. One is open per monitor at most.
alerts = Table(
    "alerts",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("monitor", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("kind", String(16), nullable=False),  # finding | no_data
    Column("summary", Text, nullable=False),
    Column("opened_at", String(32), nullable=False),
    Column("resolved_at", String(32)),
    Column("owed", Text, nullable=False),  # JSON; actions that are still to be done
    Column("events", Text, nullable=False),  # JSON; what was done about it
    Index("ix_alerts_monitor", "monitor", "seq"),
    Index(
        "ux_alert_open",
        "monitor",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)
