"""A thread as its writers see it: in order, with who has dealt with what."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, null, or_, select

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.messaging._reading import to_message
from ml_orchestrator.messaging.models import Thread, ThreadMessage
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages

__all__ = ["read_acknowledgements", "read_newest", "read_thread"]

MOST_SHOWN = 200


def read_thread(connection: Connection, thread_id: str) -> Thread:
    """Return the last 200 messages of a thread, in order.

    Raises:
        NotFoundError: there is no such thread.
    """
    in_thread = messages.c.thread_id == thread_id
    total = connection.scalar(select(func.count()).select_from(messages).where(in_thread)) or 0
    if not total:
        raise NotFoundError(
            f"No thread {thread_id[:80]!r}. Take the thread_id of a message in message_inbox."
        )
    rows = connection.execute(
        select(messages, null().label("acknowledged_at"))
        .where(in_thread)
        .order_by(messages.c.seq.desc())
        .limit(MOST_SHOWN)
    ).all()
    shown = [_with_readers(connection, row) for row in reversed(rows)]
    return Thread(thread_id=thread_id, messages=shown, n_messages=total)


def read_acknowledgements(
    connection: Connection, message_ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return for each message which agents have acknowledged it, and when."""
    found: dict[str, dict[str, str]] = {id_: {} for id_ in message_ids}
    rows = connection.execute(
        select(messages.c.id, readers.c.agent, readers.c.acknowledged_at)
        .join(readers, readers.c.message_seq == messages.c.seq)
        .where(messages.c.id.in_(message_ids), readers.c.acknowledged_at.is_not(None))
    )
    for id_, agent, at in rows:
        found[id_][agent] = at
    return found


def read_newest(connection: Connection, *, limit: int, now: str) -> list[ThreadMessage]:
    """Return the newest live messages between agents, newest first."""
    rows = connection.execute(
        select(messages, null().label("acknowledged_at"))
        .where(or_(messages.c.expires_at.is_(None), messages.c.expires_at > now))
        .order_by(messages.c.seq.desc())
        .limit(limit)
    ).all()
    return [_with_readers(connection, row) for row in rows]


def _with_readers(connection: Connection, row: Row[Any]) -> ThreadMessage:
    found = connection.execute(
        select(readers).where(readers.c.message_seq == row.seq).order_by(readers.c.agent)
    ).all()
    done = {r.agent: r.acknowledged_at for r in found if r.acknowledged_at is not None}
    targets = [] if row.is_broadcast else [r.agent for r in found]
    return ThreadMessage(
        message=to_message(row, targets),
        acknowledged_by=done,
        waiting_for=[r.agent for r in found if r.acknowledged_at is None],
    )
