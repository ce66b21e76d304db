"""Letters that reached nobody, kept for their senders."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, select

from ml_orchestrator.messaging._retention import kept_since
from ml_orchestrator.messaging.models import DeadLetter
from ml_orchestrator.storage.schema import dead_letters as table
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import flags_of_stored

__all__ = ["bury_strangers", "count_dead", "dead_of"]

MOST_KEPT = 100  # of one sender
MOST_SHOWN = 50
_EXPIRED = (
    select(messages, readers.c.agent)
    .join(readers, readers.c.message_seq == messages.c.seq)
    .where(
        messages.c.from_agent == bindparam("agent"),
        messages.c.ack_wanted == literal(1),
        messages.c.expires_at <= bindparam("now"),
        messages.c.expires_at > bindparam("since"),
        readers.c.acknowledged_at.is_(None),
    )
)
_N_DEAD = Statement(
    select(
        select(func.count())
        .select_from(table)
        .where(table.c.from_agent == bindparam("agent"), table.c.created_at > bindparam("since"))
        .scalar_subquery()
        + _EXPIRED.with_only_columns(func.count()).scalar_subquery()
    )
)


def bury_strangers(
    connection: Connection, request: Mapping[str, Any], strangers: Sequence[str], *, now: str
) -> None:
    """Keep a letter to agents that nobody knows, one row for each, however often it is tried."""
    for stranger in strangers:
        letter = {
            "from_agent": request["from"],
            "to_agent": stranger,
            "type": request["type"],
            "content": request["content"],
        }
        connection.execute(delete(table).filter_by(**letter))
        reason = "no agent of this name was known"
        connection.execute(insert(table).values(**letter, reason=reason, created_at=now))
    _make_room(connection, request["from"], since=kept_since(now))


def count_dead(connection: Connection, agent: str, *, now: str) -> int:
    """Return how many letters of ``agent`` reached nobody in the last 90 days."""
    asked = {"agent": agent, "now": now, "since": kept_since(now)}
    return int(_N_DEAD.scalar(connection, asked))


def dead_of(connection: Connection, agent: str, *, now: str) -> list[DeadLetter]:
    """Return letters of the last 90 days that reached nobody, newest first, 50 at most."""
    asked = {"agent": agent, "now": now, "since": kept_since(now)}
    kept = connection.execute(
        select(table)
        .where(table.c.from_agent == agent, table.c.created_at > asked["since"])
        .order_by(table.c.seq.desc())
        .limit(MOST_SHOWN)
    )
    unread = connection.execute(_EXPIRED.order_by(messages.c.seq.desc()).limit(MOST_SHOWN), asked)
    letters = [_letter(row, row.to_agent, row.reason) for row in kept]
    letters += [_letter(row, row.agent, "it expired before it was acknowledged") for row in unread]
    return sorted(letters, key=lambda letter: letter.timestamp, reverse=True)[:MOST_SHOWN]


def _letter(row: Any, to_agent: str, reason: str) -> DeadLetter:
    return DeadLetter(
        to_agent=to_agent,
        message_type=row.type,
        content=row.content,
        flags=list(flags_of_stored(row.content)),
        reason=reason,
        timestamp=row.created_at,
    )


def _make_room(connection: Connection, agent: str, *, since: str) -> None:
    connection.execute(
        delete(table).where(table.c.from_agent == agent, table.c.created_at <= since)
    )
    last_to_go = connection.scalar(
        select(table.c.seq)
        .where(table.c.from_agent == agent)
        .order_by(table.c.seq.desc())
        .offset(MOST_KEPT)
        .limit(1)
    )
    if last_to_go is not None:
        connection.execute(
            delete(table).where(table.c.from_agent == agent, table.c.seq <= last_to_go)
        )
