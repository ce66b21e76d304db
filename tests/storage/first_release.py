"""A state database as the first release left it: the tables that later migrations change."""

from sqlalchemy import Connection, text

__all__ = ["create_first_release"]

_TABLES = (
    "CREATE TABLE schema_version (version INTEGER PRIMARY KEY)",
    "INSERT INTO schema_version VALUES (1)",
    "CREATE TABLE agents (name VARCHAR(64) PRIMARY KEY, first_seen_at VARCHAR(32) NOT NULL)",
    "CREATE TABLE memory_records (seq INTEGER PRIMARY KEY, id VARCHAR(64) NOT NULL UNIQUE, "
    "agent VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL, created_at VARCHAR(32) NOT NULL, "
    "payload TEXT NOT NULL)",
    "CREATE INDEX ix_memory_agent_kind ON memory_records (agent, kind, seq)",
    "CREATE TABLE shared_context (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, "
    "payload TEXT NOT NULL, updated_at VARCHAR(32) NOT NULL, updated_by VARCHAR(64) NOT NULL)",
    "CREATE TABLE messages (seq INTEGER PRIMARY KEY, id VARCHAR(64) NOT NULL UNIQUE, "
    "thread_id VARCHAR(64) NOT NULL, reply_to VARCHAR(64), from_agent VARCHAR(64) NOT NULL, "
    "type VARCHAR(64) NOT NULL, priority INTEGER NOT NULL, is_broadcast INTEGER NOT NULL, "
    "content TEXT NOT NULL, metadata_json TEXT NOT NULL, created_at VARCHAR(32) NOT NULL, "
    "expires_at VARCHAR(32))",
    "CREATE INDEX ix_messages_thread_id ON messages (thread_id)",
    "CREATE TABLE message_recipients (message_seq INTEGER REFERENCES messages (seq), "
    "agent VARCHAR(64), acknowledged_at VARCHAR(32), PRIMARY KEY (message_seq, agent))",
    "CREATE TABLE alias_moves (seq INTEGER PRIMARY KEY, id VARCHAR(64) NOT NULL UNIQUE, "
    "model VARCHAR(256) NOT NULL, alias VARCHAR(64) NOT NULL, from_version INTEGER, "
    "to_version INTEGER, actor VARCHAR(64) NOT NULL, reason TEXT NOT NULL, "
    "evidence TEXT NOT NULL, state VARCHAR(16) NOT NULL, created_at VARCHAR(32) NOT NULL, "
    "settled_at VARCHAR(32), plan TEXT, idempotency_key VARCHAR(128), "
    "request_digest VARCHAR(64), host VARCHAR(255) NOT NULL)",
    "CREATE INDEX ix_recipient_agent ON message_recipients (agent, acknowledged_at, message_seq)",
)


def create_first_release(connection: Connection) -> None:
    """Create the tables, on SQLite or Postgres, empty but for the version."""
    for statement in _TABLES:
        connection.execute(text(statement))
