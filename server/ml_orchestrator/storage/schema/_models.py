"""Tables of a model's way: moves of aliases, approvals, roll-outs and what came of them."""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["alias_moves", "approvals", "deployment_events", "deployment_outcomes", "deployments"]

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
