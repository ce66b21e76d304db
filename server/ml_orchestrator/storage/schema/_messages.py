"""Tables of messages: readers, delegations, what could not be delivered, leases."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text

from ml_orchestrator.storage.schema._common import metadata

__all__ = [
    "dead_letters",
    "delegations",
    "message_recipients",
    "messages",
    "resource_leases",
    "unread_counts",
]

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
    # Migration 24: when to look whether it can go; at once, where an older release wrote it.
    Column("tidy_at", String(32), server_default=""),
    Index("ix_messages_sender", "from_agent", "created_at"),
    Index("ix_messages_waiting", "from_agent", "ack_wanted", "expires_at"),
    Index("ix_messages_tidy", "tidy_at"),
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
    Column("outcome", String(16)),  # success | partial | failure | withdrawn; null while open
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
    Column("token", Integer, nullable=False),  # grows with each change of holder, from minutes
    Column("note", Text, nullable=False),
    Column("taken_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
)
