"""Rows of readers: who has a message to read, known before anybody looks."""

from sqlalchemy import Connection, text

__all__ = ["add_live_broadcasts", "complete_readers"]

_RANKS = text(
    "UPDATE message_recipients SET "
    "rank = (SELECT 3 - m.priority FROM messages m WHERE m.seq = message_seq), "
    "expires_at = (SELECT m.expires_at FROM messages m WHERE m.seq = message_seq)"
)
# A broadcast had no row for a reader that had not acknowledged it.
_BROADCASTS = text(
    "INSERT INTO message_recipients (message_seq, agent, rank, expires_at) "
    "SELECT m.seq, a.name, 3 - m.priority, m.expires_at FROM messages m CROSS JOIN agents a "
    "WHERE m.is_broadcast = 1 AND m.from_agent <> a.name AND NOT EXISTS ("
    "SELECT 1 FROM message_recipients r WHERE r.message_seq = m.seq AND r.agent = a.name)"
)
_LIVE = text(
    "INSERT INTO message_recipients (message_seq, agent, rank, expires_at) "
    "SELECT m.seq, CAST(:agent AS VARCHAR(64)), 3 - m.priority, m.expires_at FROM messages m "
    "WHERE m.is_broadcast = 1 AND m.from_agent <> CAST(:agent AS VARCHAR(64)) "
    "AND (m.expires_at IS NULL OR m.expires_at > :now) AND NOT EXISTS ("
    "SELECT 1 FROM message_recipients r "
    "WHERE r.message_seq = m.seq AND r.agent = CAST(:agent AS VARCHAR(64)))"
)


def complete_readers(connection: Connection) -> None:
    """Bring rows of an earlier release to today's form."""
    connection.execute(_RANKS)
    connection.execute(_BROADCASTS)


def add_live_broadcasts(connection: Connection, agent: str, *, now: str) -> None:
    """Give an agent that shows up the broadcasts that are still live."""
    connection.execute(_LIVE, {"agent": agent, "now": now})
