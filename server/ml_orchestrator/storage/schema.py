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
    LargeBinary,
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
    "dead_letters",
    "delegations",
    "deployment_events",
    "deployment_outcomes",
    "deployments",
    "idempotency",
    "learning_decisions",
    "learning_feedback",
    "memory_counts",
    "memory_past",
    "memory_records",
    "memory_vectors",
    "message_recipients",
    "messages",
    "metadata",
    "resource_leases",
    "run_progress",
    "schema_version",
    "search_experience",
    "shared_context",
    "unread_counts",
]

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("oldest_reader", Integer),  # the newest version that a release must know to go on
)

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
    Column("kind", String(16), nullable=False),  # task | insight | knowledge
    Column("created_at", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    # from here on migration 2
    Column("outcome", String(16), nullable=False, server_default=""),  # of tasks
    Column("area", String(160)),  # of insights; the subject of knowledge
    Column("words", Text),  # for search: distinct, in small letters, apart by one space
    Column("near_key", String(32)),  # equal for records that say the same
    Column("flags", Text),  # JSON list; null when there are none
    Column("session", String(80)),
    Column("tool", String(32)),
    Column("source", String(200)),
    Column("is_pinned", Integer, nullable=False, server_default="0"),
    Column("expires_at", String(32)),
    Column("n_merged", Integer, nullable=False, server_default="1"),
    Column("first_at", String(32)),
    Column("n_helped", Integer, nullable=False, server_default="0"),
    Column("n_misled", Integer, nullable=False, server_default="0"),
    Index("ix_memory_time", "agent", "kind", "created_at", "seq"),
    Index("ix_memory_near", "agent", "kind", "near_key"),
    Index(
        "ix_memory_expiry",
        "expires_at",
        sqlite_where=text("expires_at IS NOT NULL"),
        postgresql_where=text("expires_at IS NOT NULL"),
    ),
)

memory_counts = Table(  # so that nobody has to count records
    "memory_counts",
    metadata,
    Column("agent", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("n", Integer, nullable=False),  # records there are
    Column("n_removed", Integer, nullable=False, server_default="0"),  # by age and limits
    Column("latest", String(32), nullable=False),
)

memory_past = Table(  # records that are no longer there: what became of them
    "memory_past",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("became", String(64), index=True),  # the record it was merged into
    Column("how", String(16), nullable=False),  # merged | forgotten | expired | limit
    Column("created_at", String(32), nullable=False),  # of the record
    Column("session", String(80)),
    Column("removed_at", String(32), nullable=False),
    Column("removed_by", String(64), nullable=False),
    Column("reason", Text),
    # from here on migration 8; of merged records alone
    Column("tool", String(32)),
    Column("source", String(200)),
)

memory_vectors = Table(  # what records mean, by models that were set up; they can be made anew
    "memory_vectors",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("model", String(32), nullable=False),
    Column(
        "record_id",
        String(64),
        ForeignKey("memory_records.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("vector", LargeBinary, nullable=False),  # unit length, little-endian half floats
    UniqueConstraint("model", "record_id"),
    sqlite_autoincrement=True,  # no number is given again: what is new has a larger one
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
    Column("ack_wanted", Integer, server_default="0"),
    Column("flags", Text, server_default="[]"),  # JSON; what was noticed about the content
    Index("ix_messages_sender", "from_agent", "created_at"),
    Index("ix_messages_waiting", "from_agent", "ack_wanted", "expires_at"),
)

# One row for each reader that is known when a message is sent; who shows up later gets rows for
# the broadcasts that are still live. Rank and expiry repeat what the message says, so that an
# inbox is read and counted from one index.
message_recipients = Table(
    "message_recipients",
    metadata,
    Column("message_seq", Integer, ForeignKey("messages.seq"), primary_key=True),
    Column("agent", String(64), primary_key=True),
    Column("acknowledged_at", String(32)),
    Column("rank", Integer, server_default="2"),  # 0 urgent .. 3 low
    Column("expires_at", String(32)),
    Index("ix_recipient_inbox", "agent", "acknowledged_at", "rank", "message_seq", "expires_at"),
    Index(  # migration 9: unread ones that have an end
        "ix_recipient_expiring",
        "agent",
        "expires_at",
        "rank",
        sqlite_where=text("acknowledged_at IS NULL AND expires_at IS NOT NULL"),
        postgresql_where=text("acknowledged_at IS NULL AND expires_at IS NOT NULL"),
    ),
)

# How many are unread and have no end. Triggers keep it, so it is true whoever writes, also a
# release that does not know it; it is committed with what it counts.
unread_counts = Table(
    "unread_counts",
    metadata,
    Column("agent", String(64), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("n_urgent", Integer, nullable=False),
)

delegations = Table(
    "delegations",
    metadata,
    Column("message_seq", Integer, ForeignKey("messages.seq"), primary_key=True),
    Column("message_id", String(64), nullable=False, unique=True),
    Column("thread_id", String(64), nullable=False, index=True),
    Column("from_agent", String(64), nullable=False),
    Column("to_agent", String(64), nullable=False),
    Column("task_type", String(128), nullable=False),
    Column("outcome", String(16)),  # success | partial | failure; null while it is open
    Column("opened_at", String(32), nullable=False),
    Column("expires_at", String(32)),
    Column("settled_at", String(32)),
    Index("ix_delegation_open", "to_agent", "outcome", "message_seq"),
    Index("ix_delegation_given", "from_agent", "outcome", "message_seq"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("from_agent", String(64), nullable=False),
    Column("to_agent", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("type", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("ix_dead_letters", "from_agent", "seq"),
)

resource_leases = Table(
    "resource_leases",
    metadata,
    Column("resource", String(256), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("token", Integer, nullable=False),  # grows with every change of holder
    Column("note", Text, nullable=False),
    Column("taken_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
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

search_experience = Table(
    "search_experience",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("agent", String(64), nullable=False),
    Column("task", String(32), nullable=False),
    Column("dataset_digest", String(64), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("score", Text, nullable=False),  # a float, as Python writes it
    Column("n_trials", Integer, nullable=False),
    Column("meta_features", Text, nullable=False),
    Column("trainer", String(128), nullable=False),
    Column("params", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("ix_experience_task", "task", "seq"),
)

learning_decisions = Table(
    "learning_decisions",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("agent", String(64), nullable=False),
    Column("grouped_as", String(64), nullable=False),
    Column("context", Text, nullable=False),  # a list of numbers
    Column("options", Text, nullable=False),  # rules and propensity of each
    Column("chosen", String(512), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("policy", String(32), nullable=False),
    Column("policy_version", String(32), nullable=False),
    Column("floor", Float, nullable=False),
    Column("n_judged", Integer, nullable=False),
    Column("decided_at", String(32), nullable=False),
)

learning_feedback = Table(
    "learning_feedback",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("decision_seq", Integer, ForeignKey("learning_decisions.seq"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("verdict", String(16)),
    Column("reward", Float, nullable=False),  # 0 to 1
    Column("agent", String(64), nullable=False),
    Column("given_at", String(32), nullable=False),
    UniqueConstraint("decision_seq", "kind"),
)
