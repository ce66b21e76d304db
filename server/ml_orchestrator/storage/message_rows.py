"""Rows of readers: who has a message to read, known and counted before anybody looks."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

__all__ = ["add_live_broadcasts", "complete_readers", "keep_unread_counts", "newcomers_see_from"]

NEWCOMERS_SEE = timedelta(days=7)  # of broadcasts sent before an agent showed up

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
    "AND (m.expires_at IS NULL OR m.expires_at > :now) AND m.created_at > :since "
    "AND NOT EXISTS (SELECT 1 FROM message_recipients r "
    "WHERE r.message_seq = m.seq AND r.agent = CAST(:agent AS VARCHAR(64)))"
)

_COUNT_ALL = text(
    "INSERT INTO unread_counts (agent, n, n_urgent) "
    "SELECT agent, count(*), count(*) FILTER (WHERE coalesce(rank, 2) = 0) "
    "FROM message_recipients WHERE acknowledged_at IS NULL AND expires_at IS NULL GROUP BY agent"
)
# A rank that is not set is that of a normal message. A row counts while it is unread and has no
# end. What an update takes away and brings is counted apart, so any change of a row leaves the
# counts true.
_SQLITE_TRIGGER = (
    "CREATE TRIGGER {name} AFTER {event} ON message_recipients "
    "WHEN {row}.acknowledged_at IS NULL AND {row}.expires_at IS NULL BEGIN {act}; END"
)
_SQLITE_ADD = (
    "INSERT INTO unread_counts (agent, n, n_urgent) "
    "VALUES (NEW.agent, 1, coalesce(NEW.rank, 2) = 0) "
    "ON CONFLICT (agent) DO UPDATE SET n = n + 1, n_urgent = n_urgent + excluded.n_urgent"
)
_SQLITE_TAKE = (
    "UPDATE unread_counts SET n = n - 1, n_urgent = n_urgent - (coalesce(OLD.rank, 2) = 0) "
    "WHERE agent = OLD.agent"
)
_TRIGGERS = {
    "sqlite": tuple(
        _SQLITE_TRIGGER.format(name=name, event=event, row=row, act=act)
        for name, event, row, act in (
            ("unread_added", "INSERT", "NEW", _SQLITE_ADD),
            ("unread_taken", "DELETE", "OLD", _SQLITE_TAKE),
            ("unread_changed_from", "UPDATE", "OLD", _SQLITE_TAKE),
            ("unread_changed_to", "UPDATE", "NEW", _SQLITE_ADD),
        )
    ),
    "postgresql": (
        "CREATE FUNCTION count_unread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP <> 'INSERT' AND OLD.acknowledged_at IS NULL AND OLD.expires_at IS NULL THEN "
        "UPDATE unread_counts SET n = n - 1, "
        "n_urgent = n_urgent - (coalesce(OLD.rank, 2) = 0)::int WHERE agent = OLD.agent; END IF; "
        "IF TG_OP <> 'DELETE' AND NEW.acknowledged_at IS NULL AND NEW.expires_at IS NULL THEN "
        "INSERT INTO unread_counts AS kept (agent, n, n_urgent) "
        "VALUES (NEW.agent, 1, (coalesce(NEW.rank, 2) = 0)::int) ON CONFLICT (agent) DO UPDATE "
        "SET n = kept.n + 1, n_urgent = kept.n_urgent + excluded.n_urgent; END IF; "
        "RETURN NULL; END $$",
        "CREATE TRIGGER unread_changed AFTER INSERT OR UPDATE OR DELETE ON message_recipients "
        "FOR EACH ROW EXECUTE FUNCTION count_unread()",
    ),
}


def complete_readers(connection: Connection) -> None:
    """Bring rows of an earlier release to today's form."""
    connection.execute(_RANKS)
    connection.execute(_BROADCASTS)


def keep_unread_counts(connection: Connection) -> None:
    """Count what is unread, and let the database go on counting."""
    connection.execute(_COUNT_ALL)
    for statement in _TRIGGERS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def add_live_broadcasts(connection: Connection, agent: str, *, now: str) -> None:
    """Give an agent that shows up the live broadcasts of the last 7 days."""
    asked = {"agent": agent, "now": now, "since": newcomers_see_from(now)}
    connection.execute(_LIVE, asked)


def newcomers_see_from(now: str) -> str:
    """Return from when on an agent that shows up ``now`` sees broadcasts; ISO 8601 UTC, both."""
    since = datetime.fromisoformat(now) - NEWCOMERS_SEE
    return since.isoformat(timespec="microseconds")
