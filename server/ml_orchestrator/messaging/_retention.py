"""Removing messages that are done with: a few with every one that is sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, text, update

from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import delegations, message_recipients, messages
from ml_orchestrator.storage.statements import Statement

__all__ = ["KEPT", "first_look", "kept_since", "tidy"]

KEPT = timedelta(days=90)  # after its end, or after the last reader acknowledged it
AGAIN = timedelta(days=7)  # until a message that must stay is looked at again
STEP = 20  # messages that one send looks at
_TO_LOOK_AT = Statement(
    text(
        "SELECT m.seq, m.expires_at, "
        "EXISTS (SELECT 1 FROM message_recipients r WHERE r.message_seq = m.seq "
        "AND r.acknowledged_at IS NULL) AS is_unread, "
        "coalesce((SELECT max(r.acknowledged_at) FROM message_recipients r "
        "WHERE r.message_seq = m.seq), m.created_at) AS read_at, "
        "EXISTS (SELECT 1 FROM delegations d WHERE d.thread_id = m.thread_id "
        "AND d.outcome IS NULL AND (d.expires_at IS NULL OR d.expires_at > :now)) AS has_open_work "
        "FROM messages m WHERE m.tidy_at <= :now ORDER BY m.tidy_at LIMIT :step"
    )
)
_POSTPONE = Statement(
    update(messages).where(messages.c.seq == bindparam("of")).values(tidy_at=bindparam("until"))
)
_REMOVE = [  # in this order: the first two refer to the last
    Statement(delete(table).where(column == bindparam("of")))
    for table, column in (
        (delegations, delegations.c.message_seq),
        (message_recipients, message_recipients.c.message_seq),
        (messages, messages.c.seq),
    )
]


def first_look(now: datetime) -> str:
    """Return when a message that is sent ``now`` may be done with at the earliest."""
    return timestamp(now + KEPT)


def kept_since(now: str) -> str:
    """Return when what is no longer kept ``now`` had ended; ISO 8601 UTC, both."""
    return timestamp(datetime.fromisoformat(now) - KEPT)


def tidy(connection: Connection, *, now: datetime) -> None:
    """Remove a few messages that ended, or that all have acknowledged, 90 days ago or longer.

    Looks at 20 at most, those first that wait longest for it, and never removes one that is unread
    and has not expired, nor one whose thread has open work. What stays is looked at again 7 days
    later, so however much must stay, the rest goes.
    """
    rows = _TO_LOOK_AT.all(connection, {"now": timestamp(now), "step": STEP})
    if not rows:
        return
    limit, again = timestamp(now - KEPT), timestamp(now + AGAIN)
    gone = [row.seq for row in rows if _is_done_with(row, limit)]
    stay = [row.seq for row in rows if row.seq not in gone]
    for statement in _REMOVE:
        statement.change_each(connection, [{"of": seq} for seq in gone])
    _POSTPONE.change_each(connection, [{"of": seq, "until": again} for seq in stay])


def _is_done_with(row: Any, limit: str) -> bool:
    ends: Sequence[str | None] = (row.expires_at, None if row.is_unread else row.read_at)
    return not row.has_open_work and any(end is not None and end <= limit for end in ends)
