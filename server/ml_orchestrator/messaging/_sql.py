"""The mailbox in the state database."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.messaging.models import (
    PRIORITIES,
    Acknowledged,
    Inbox,
    Message,
    Priority,
    SentMessage,
)
from ml_orchestrator.storage.agents import known_agents, note_agent
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages

__all__ = ["SqlMailbox"]

URGENT = PRIORITIES.index("urgent")


class SqlMailbox:
    """A ``Mailbox`` on SQLite or Postgres; ``shipped`` agents are known from the start."""

    def __init__(self, database: Database, *, shipped: Sequence[str] = ()) -> None:
        self._database = database
        self._shipped = tuple(shipped)

    def send(
        self,
        from_agent: str,
        *,
        message_type: str,
        content: str,
        target_agents: Sequence[str] = (),
        priority: Priority = "medium",
        metadata: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
        expires_in_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> SentMessage:
        """Store a message and its recipients in one transaction."""
        targets = sorted(set(target_agents))
        request: dict[str, Any] = {
            "from": from_agent,
            "type": message_type,
            "content": content,
            "to": targets,
            "priority": priority,
            "metadata": dict(metadata or {}),
            "reply_to": reply_to,
            "expires_in_s": expires_in_s,
        }

        def act(connection: Connection) -> dict[str, Any]:
            note_agent(connection, from_agent)
            self._refuse_strangers(connection, targets)
            return _send(connection, request, expires_in_s)

        def work(connection: Connection) -> dict[str, Any]:
            return once(
                connection,
                scope=f"message_send/{from_agent}",
                key=idempotency_key,
                request=request,
                act=lambda: act(connection),
            )

        return SentMessage.model_validate(self._database.write(work))

    def inbox(
        self,
        agent: str,
        *,
        limit: int = 20,
        cursor: str | None = None,
        with_acknowledged: bool = False,
    ) -> Inbox:
        """Return one page of an agent's messages, most urgent first."""
        after = _parse(cursor)

        def work(connection: Connection) -> Inbox:
            query = _visible(agent, with_acknowledged)
            page = query if after is None else query.where(_behind(*after))
            rows = connection.execute(
                page.order_by(messages.c.priority.desc(), messages.c.seq).limit(limit + 1)
            ).all()
            unread, urgent = _counts(connection, agent)
            shown = rows[:limit]
            last = shown[-1] if len(rows) > limit else None
            return Inbox(
                agent=agent,
                messages=_messages(connection, shown),
                n_unread=unread,
                n_urgent=urgent,
                next_cursor=None if last is None else f"{last.priority}-{last.seq}",
            )

        return self._database.read(work)

    def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with, all or none."""

        def work(connection: Connection) -> Acknowledged:
            wanted = list(dict.fromkeys(message_ids))
            rows = connection.execute(_addressed(agent).where(messages.c.id.in_(wanted))).all()
            _refuse_foreign(agent, wanted, rows)
            note_agent(connection, agent)
            fresh = [row for row in rows if row.acknowledged_at is None]
            for row in fresh:
                _mark(connection, agent, row.seq)
            return Acknowledged(
                agent=agent,
                acknowledged=[row.id for row in fresh],
                already=[row.id for row in rows if row.acknowledged_at is not None],
                n_unread=_counts(connection, agent)[0],
            )

        return self._database.write(work)

    def describe(self) -> str:
        """Return how many messages are stored."""
        query = select(func.count()).select_from(messages)
        return f"{self._database.read(lambda c: c.scalar(query))} messages"

    def _refuse_strangers(self, connection: Connection, names: Sequence[str]) -> None:
        known = known_agents(connection, self._shipped)
        if strangers := [name for name in names if name not in known]:
            raise NotFoundError(
                f"No agent named {', '.join(map(repr, strangers))}; known: {', '.join(known)}. "
                "An agent becomes known when it first saves memory or sends a message. "
                "Nothing was sent."
            )


def _send(
    connection: Connection, request: Mapping[str, Any], expires_in_s: float | None
) -> dict[str, Any]:
    now = datetime.now(UTC)
    message_id = uuid.uuid4().hex
    thread_id = _thread_of(connection, request["reply_to"]) or message_id
    stored = connection.execute(
        insert(messages).values(
            id=message_id,
            thread_id=thread_id,
            reply_to=request["reply_to"],
            from_agent=request["from"],
            type=request["type"],
            priority=PRIORITIES.index(request["priority"]),
            is_broadcast=int(not request["to"]),
            content=request["content"],
            metadata_json=json.dumps(request["metadata"]),
            created_at=timestamp(now),
            expires_at=expires_in_s and timestamp(now + timedelta(seconds=expires_in_s)),
        )
    )
    seq = stored.inserted_primary_key.seq  # type: ignore[union-attr]  # a plain insert has one
    for agent in request["to"]:
        connection.execute(insert(readers).values(message_seq=seq, agent=agent))
    return {
        "message_id": message_id,
        "thread_id": thread_id,
        "recipients": request["to"] or ["*"],
        "timestamp": timestamp(now),
    }


def _thread_of(connection: Connection, message_id: str | None) -> str | None:
    if message_id is None:
        return None
    thread = connection.execute(
        select(messages.c.thread_id).where(messages.c.id == message_id)
    ).scalar()
    if thread is None:
        raise NotFoundError(
            f"No message {message_id!r} to reply to. "
            "Take the message_id from message_inbox, or leave reply_to out."
        )
    return str(thread)


def _addressed(agent: str) -> Select[Any]:
    """Select what was ever sent to ``agent``, with its own acknowledgement."""
    mine = and_(readers.c.message_seq == messages.c.seq, readers.c.agent == agent)
    to_me = readers.c.agent.is_not(None)
    to_all = and_(messages.c.is_broadcast == 1, messages.c.from_agent != agent)
    return (
        select(messages, readers.c.acknowledged_at)
        .select_from(messages.outerjoin(readers, mine))
        .where(or_(to_me, to_all))
    )


def _visible(agent: str, with_acknowledged: bool) -> Select[Any]:
    is_live = or_(messages.c.expires_at.is_(None), messages.c.expires_at > timestamp())
    query = _addressed(agent).where(is_live)
    return query if with_acknowledged else query.where(readers.c.acknowledged_at.is_(None))


def _behind(priority: int, seq: int) -> ColumnElement[bool]:
    same = and_(messages.c.priority == priority, messages.c.seq > seq)
    return or_(messages.c.priority < priority, same)


def _counts(connection: Connection, agent: str) -> tuple[int, int]:
    unread = _visible(agent, with_acknowledged=False).subquery()
    urgent = func.coalesce(func.sum((unread.c.priority == URGENT).cast(messages.c.seq.type)), 0)
    row = connection.execute(select(func.count(), urgent).select_from(unread)).one()
    return int(row[0]), int(row[1])


def _messages(connection: Connection, rows: Sequence[Row[Any]]) -> list[Message]:
    targets: dict[int, list[str]] = {row.seq: [] for row in rows if not row.is_broadcast}
    if targets:
        query = select(readers).where(readers.c.message_seq.in_(targets)).order_by(readers.c.agent)
        for reader in connection.execute(query):
            targets[reader.message_seq].append(reader.agent)
    return [_message(row, targets.get(row.seq, [])) for row in rows]


def _message(row: Row[Any], targets: list[str]) -> Message:
    return Message(
        message_id=row.id,
        thread_id=row.thread_id,
        reply_to=row.reply_to,
        from_agent=row.from_agent,
        target_agents=targets,
        message_type=row.type,
        priority=PRIORITIES[row.priority],
        content=row.content,
        metadata=json.loads(row.metadata_json),
        timestamp=row.created_at,
        expires_at=row.expires_at,
        acknowledged_at=row.acknowledged_at,
    )


def _mark(connection: Connection, agent: str, seq: int) -> None:
    here = and_(readers.c.message_seq == seq, readers.c.agent == agent)
    now = timestamp()
    marked = connection.execute(update(readers).where(here).values(acknowledged_at=now))
    if marked.rowcount == 0:  # a broadcast has no row per reader until it is read
        connection.execute(
            insert(readers).values(message_seq=seq, agent=agent, acknowledged_at=now)
        )


def _refuse_foreign(agent: str, wanted: Sequence[str], rows: Sequence[Row[Any]]) -> None:
    found = {row.id for row in rows}
    if missing := [message_id for message_id in wanted if message_id not in found]:
        raise NotFoundError(
            f"No message {', '.join(map(repr, missing))} for {agent}. "
            "Take ids from message_inbox. Nothing was acknowledged."
        )


def _parse(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    priority, _, seq = cursor.partition("-")
    if not (cursor.isascii() and priority.isdecimal() and seq.isdecimal() and len(cursor) < 20):
        raise InvalidInputError(
            f"Cursor {cursor!r} is not one of ours. Pass next_cursor of the page before."
        )
    return int(priority), int(seq)
