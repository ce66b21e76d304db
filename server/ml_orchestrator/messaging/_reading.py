"""Queries of an inbox: one index, whatever others have."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal,
    null,
    or_,
    select,
)

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.messaging.models import PRIORITIES, Message, Unread
from ml_orchestrator.storage.agents import is_known_agent
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages
from ml_orchestrator.text import cut

__all__ = ["count_unread", "messages_of", "page", "parse_cursor", "to_message"]

URGENT_RANK = 0
MOST_URGENT_TOLD = 3
BEGINNING = 80
_SHOWN = (messages, readers.c.acknowledged_at, readers.c.rank)
_IS_UNREAD = and_(
    readers.c.agent == bindparam("agent"),
    readers.c.acknowledged_at.is_(None),
    or_(readers.c.expires_at.is_(None), readers.c.expires_at > bindparam("now")),
)
_IS_URGENT = readers.c.rank == literal(URGENT_RANK)
_N_UNREAD = (
    select(func.count().label("n_unread"), func.count().filter(_IS_URGENT).label("n_urgent"))
    .where(_IS_UNREAD)
    .select_from(readers)
)  # asked with every result, so built once
_URGENT = (
    select(messages.c.content)
    .join(readers, readers.c.message_seq == messages.c.seq)
    .where(_IS_UNREAD, _IS_URGENT)
    .order_by(readers.c.message_seq)
    .limit(literal(MOST_URGENT_TOLD))
)


def page(
    connection: Connection,
    agent: str,
    *,
    limit: int,
    after: tuple[int, int] | None,
    with_acknowledged: bool,
    query: str | None,
    now: str,
) -> Sequence[Row[Any]]:
    """Return up to ``limit`` rows, most urgent first, then oldest first."""
    found = _addressed(connection, agent, now=now)
    rank, seq = found.selected_columns["rank"], found.selected_columns["seq"]
    if not with_acknowledged:
        found = found.where(found.selected_columns["acknowledged_at"].is_(None))
    if query:
        found = found.where(_holds(query))
    if after is not None:
        found = found.where(or_(rank > after[0], and_(rank == after[0], seq > after[1])))
    return connection.execute(found.order_by(rank, seq).limit(limit)).all()


def count_unread(connection: Connection, agent: str, *, shipped: bool, now: str) -> Unread:
    """Count what is unread, and say how the most urgent ones begin."""
    if not shipped and not is_known_agent(connection, agent):
        broadcasts = page(
            connection, agent, limit=1_000, after=None, with_acknowledged=False, query=None, now=now
        )
        pressing = [row for row in broadcasts if row.rank == URGENT_RANK]
        return _unread(len(broadcasts), pressing, n_urgent=len(pressing))
    who_and_when = {"agent": agent, "now": now}
    counted = connection.execute(_N_UNREAD, who_and_when).one()
    urgent = connection.execute(_URGENT, who_and_when).all() if counted.n_urgent else ()
    return _unread(counted.n_unread, urgent, n_urgent=counted.n_urgent)


def messages_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Message]:
    """Return rows as messages, each with its targets."""
    targets: dict[int, list[str]] = {row.seq: [] for row in rows if not row.is_broadcast}
    if targets:
        found = select(readers.c.message_seq, readers.c.agent).where(
            readers.c.message_seq.in_(targets)
        )
        for reader in connection.execute(found.order_by(readers.c.agent)):
            targets[reader.message_seq].append(reader.agent)
    return [to_message(row, targets.get(row.seq, [])) for row in rows]


def to_message(row: Row[Any], targets: list[str]) -> Message:
    """Return one row as a message; ``acknowledged_at`` is its reader's."""
    return Message(
        message_id=row.id,
        thread_id=row.thread_id,
        reply_to=row.reply_to,
        from_agent=row.from_agent,
        target_agents=targets,
        message_type=row.type,
        priority=PRIORITIES[row.priority],
        content=row.content,
        flags=json.loads(row.flags or "[]"),
        metadata=json.loads(row.metadata_json),
        ack_wanted=bool(row.ack_wanted),
        timestamp=row.created_at,
        expires_at=row.expires_at,
        acknowledged_at=row.acknowledged_at,
    )


def parse_cursor(cursor: str | None) -> tuple[int, int] | None:
    """Read rank and number of the last message of the page before.

    Raises:
        InvalidInputError: it is not one of ours.
    """
    if cursor is None:
        return None
    rank, _, seq = cursor.partition("-")
    if not (cursor.isascii() and rank.isdecimal() and seq.isdecimal() and len(cursor) < 20):
        raise InvalidInputError(
            f"Cursor {cursor!r} is not one of ours. Pass next_cursor of the page before."
        )
    return int(rank), int(seq)


def _addressed(connection: Connection, agent: str, *, now: str) -> Select[Any]:
    """Select what was sent to ``agent`` and is live; to a stranger, what was sent to all."""
    mine = and_(readers.c.message_seq == messages.c.seq, readers.c.agent == agent)
    has_rows = connection.execute(
        select(readers.c.agent).where(readers.c.agent == agent).limit(1)
    ).first()
    if has_rows or is_known_agent(connection, agent):
        return select(*_SHOWN).join(readers, mine).where(_is_live(now))
    rank = (literal(len(PRIORITIES) - 1) - messages.c.priority).label("rank")
    is_live = or_(messages.c.expires_at.is_(None), messages.c.expires_at > now)
    return select(messages, null().label("acknowledged_at"), rank).where(
        messages.c.is_broadcast == 1, messages.c.from_agent != agent, is_live
    )


def _is_live(now: str) -> ColumnElement[bool]:
    return or_(readers.c.expires_at.is_(None), readers.c.expires_at > now)


def _holds(query: str) -> ColumnElement[bool]:
    return func.lower(messages.c.content).contains(query.lower(), autoescape=True)


def _unread(n_unread: int, rows: Sequence[Row[Any]], *, n_urgent: int) -> Unread:
    urgent = [cut(row.content, BEGINNING) for row in rows[:MOST_URGENT_TOLD]]
    return Unread(n_unread=n_unread, n_urgent=n_urgent, urgent=urgent)
