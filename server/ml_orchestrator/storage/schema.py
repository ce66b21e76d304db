"""Tables of the state database, as SQLAlchemy Core sees them.

Times are ISO 8601 text in UTC with microseconds, so that they sort and read the same on
every database. Payloads are JSON text. The tables are made by ``storage.migrations``.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = [
    "agents",
    "alias_moves",
    "approvals",
    "collaborations",
    "deployment_events",
    "deployment_outcomes",
    "deployments",
    "idempotency",
    "memory_records",
    "message_recipients",
    "messages",
    "metadata",
    "run_progress",
    "schema_version",
    "shared_context",
]

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

agents = Table(
    "agents",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("first_seen_at", String(32), nullable=False),
)

memory_records = Table(
    "memory_records",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("agent", String(64), nullable=False),
    Column("kind", String(16), nullable=False),  # task | insight
    Column("created_at", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_memory_agent_kind", "agent", "kind", "seq"),
)

collaborations = Table(
    "collaborations",
    metadata,
    Column("agent", String(64), primary_key=True),
    Column("collaborator", String(64), primary_key=True),
    Column("task_type", String(128), primary_key=True),
    Column("successes", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_at", String(32), nullable=False),
)

shared_context = Table(
    "shared_context",
    metadata,
    Column("id", Integer, primary_key=True),  # one row, 1
    Column("revision", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("updated_by", String(64), nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("thread_id", String(64), nullable=False, index=True),
    Column("reply_to", String(64)),
    Column("from_agent", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("priority", Integer, nullable=False),  # 0 low .. 3 urgent
    Column("is_broadcast", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32)),
)

message_recipients = Table(
    "message_recipients",
    metadata,
    Column("message_seq", Integer, ForeignKey("messages.seq"), primary_key=True),
    Column("agent", String(64), primary_key=True),
    Column("acknowledged_at", String(32)),
    Index("ix_recipient_agent", "agent", "acknowledged_at", "message_seq"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String(128), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("request_digest", String(64), nullable=False),
    Column("result", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)

alias_moves = Table(
    "alias_moves",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("model", String(256), nullable=False),
    Column("alias", String(64), nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("state", String(16), nullable=False),  # intended | applied | abandoned | observed
    Column("created_at", String(32), nullable=False),
    Column("settled_at", String(32)),
    Column("plan", Text),  # MovePlan; null for observed moves
    Column("idempotency_key", String(128), index=True),
    Column("request_digest", String(64)),
    Column("host", String(255), nullable=False),
    Column("approved_by", String(255)),
    Column("event_seq", Integer),  # of the alias table's own log; null where it has none
    Index("ix_alias_moves", "model", "alias", "seq"),
    Index(
        "ux_alias_live_intent",
        "model",
        "alias",
        unique=True,
        sqlite_where=text("state = 'intended'"),
        postgresql_where=text("state = 'intended'"),
    ),
)

approvals = Table(
    "approvals",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("subject", String(512), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("summary", Text, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("requested_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # pending | approved | rejected | used
    Column("decided_by", String(255)),
    Column("decided_via", String(16)),  # terminal | elicitation
    Column("decided_at", String(32)),
    Column("decision_reason", Text),
    Column("used_at", String(32)),
    Index("ix_approvals_plan", "subject", "digest", "seq"),
    Index("ix_approvals_state", "state", "seq"),
)

run_progress = Table(
    "run_progress",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("step", String(64), primary_key=True),
    Column("fraction", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", String(256), nullable=False),
    Column("alias", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("from_version", Integer),
    Column("actor", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", Text, nullable=False),
    Column("epoch", Integer, nullable=False),  # grows with each worker that takes it
    Column("is_live", Integer, nullable=False),  # 0 once the state is final
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("ix_deployments_model", "model", "created_at"),
    Index(
        "ux_deployment_live",
        "model",
        unique=True,
        sqlite_where=text("is_live = 1"),
        postgresql_where=text("is_live = 1"),
    ),
)

deployment_events = Table(
    "deployment_events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("deployment_id", String(64), ForeignKey("deployments.id"), nullable=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("choice", String(16)),  # of a decision
    Column("approved_by", String(64)),
    Index("ix_deployment_events", "deployment_id", "seq"),
)

deployment_outcomes = Table(
    "deployment_outcomes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("model", String(256), nullable=False),
    Column("version", Integer, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("loss", Float, nullable=False),  # 0 to 1
    Column("reported_at", String(32), nullable=False),
    Index("ix_deployment_outcomes", "model", "version", "seq"),
    UniqueConstraint("model", "version", "request_id"),
)
