"""Tables of memory: records, what became of old ones, what they mean, what agents share."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ml_orchestrator.storage.schema._common import metadata

__all__ = [
    "collaborations",
    "memory_counts",
    "memory_past",
    "memory_records",
    "memory_vectors",
    "shared_context",
]

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
    Column("near_key", String(32)),  # equal for records that say the same; null for tasks
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
    Index(  # migration 22: without tasks, which nobody looks up by it
        "ix_memory_near",
        "agent",
        "kind",
        "near_key",
        sqlite_where=text("near_key IS NOT NULL"),
        postgresql_where=text("near_key IS NOT NULL"),
    ),
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
    # from here on migration 23: JSON of revision, session and tool; of an older revision once a
    # release that does not know it has written
    Column("origin", Text),
)
