"""The mailbox in the state database."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, literal, select, update

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.faults import each_near
from ml_orchestrator.messaging._dead_letters import bury_strangers, count_dead, dead_of
from ml_orchestrator.messaging._delegations import (
    addressed,
    check_delegation,
    note_delegation,
    open_delegations,
)
from ml_orchestrator.messaging._limits import (
    check_message,
    check_priority,
    check_sense,
    priority_of,
)
from ml_orchestrator.messaging._news import MailNews
from ml_orchestrator.messaging._quotas import Quotas, check_quotas
from ml_orchestrator.messaging._reading import (
    count_unread,
    count_work_after,
    messages_of,
    page,
    parse_cursor,
    work_after,
)
from ml_orchestrator.messaging._replies import answered, reply_addressed
from ml_orchestrator.messaging._retention import first_look, tidy
from ml_orchestrator.messaging._threads import (
    read_acknowledgements,
    read_newest,
    read_thread,
)
from ml_orchestrator.messaging.models import (
    PRIORITIES,
    RESULT,
    Acknowledged,
    DeadLetters,
    Inbox,
    Message,
    Priority,
    SentMessage,
    Thread,
    ThreadMessage,
    Unread,
)
from ml_orchestrator.storage.agents import note_agent, seen_agents, welcome
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.storage.page_marks import mark_of
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages
from ml_orchestrator.storage.statements import Statement

__all__ = ["SqlMailbox"]

_ADD = Statement(
    insert(messages).returning(messages.c.seq),
    columns=[column.name for column in messages.columns if column.name != "seq"],
)
_ADD_READER = Statement(insert(readers), columns=("message_seq", "agent", "rank", "expires_at"))
_NEWEST = Statement(select(func.coalesce(func.max(messages.c.seq), literal(0)).label("seq")))


class SqlMailbox:
    """A ``Mailbox`` on SQLite or Postgres; ``shipped`` agents are known from the start.

    ``news`` is told what changes, in the transaction that changes it.
    """

    def __init__(
        self,
        database: Database,
        *,
        shipped: Sequence[str] = (),
        quotas: Quotas | None = None,
        news: MailNews | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._shipped = tuple(shipped)
        self._quotas = quotas or Quotas()
        self._news = news or MailNews()
        self._now = now

    def send(
        self,
        from_agent: str,
        *,
        message_type: str,
        content: str,
        target_agents: Sequence[str] = (),
        priority: Priority | None = None,
        metadata: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
        ack_wanted: bool = False,
        expires_in_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> SentMessage:
        """Store a message and its recipients in one transaction; a retry returns what is stored."""
        check_message(message_type, content, metadata or {}, len(target_agents))
        shown, flags = cleaned({"content": content, "metadata": dict(metadata or {})})
        request: dict[str, Any] = {
            "from": from_agent,
            "type": message_type,
            **shown,
            "to": sorted(set(target_agents)),
            "priority": priority_of(priority, metadata or {}),
            "reply_to": reply_to,
            "ack_wanted": ack_wanted,
            "expires_in_s": expires_in_s,
        }
        check_delegation(request)

        def act(connection: Connection, known: Sequence[str]) -> dict[str, Any]:
            check_sense(message_type, content)
            check_priority(priority, metadata or {})
            return self._store(connection, request, flags, known)

        def work(connection: Connection) -> dict[str, Any]:
            now = timestamp(self._now())
            if from_agent not in (seen := seen_agents(connection)):
                welcome(connection, from_agent, now=now)
            known = sorted({*self._shipped, *seen, from_agent})
            if strangers := [name for name in request["to"] if name not in known]:
                bury_strangers(connection, request, strangers, now=now)
                self._news.buried(connection, from_agent)
                return {"strangers": strangers, "known": known}
            return once(
                connection,
                scope=f"message_send/{from_agent}",
                key=idempotency_key,
                request=request,
                act=lambda: act(connection, known),
            )

        answer = self._database.write(work)
        if "strangers" in answer:
            raise _unknown(answer["strangers"], answer["known"])
        return SentMessage.model_validate(answer)

    def inbox(
        self,
        agent: str,
        *,
        limit: int = 20,
        cursor: str | None = None,
        with_acknowledged: bool = False,
        query: str | None = None,
    ) -> Inbox:
        """Return one page of an agent's messages, most urgent first."""
        query = query if query and query.strip() else None
        mark, now = mark_of(agent, with_acknowledged, query), timestamp(self._now())
        after = parse_cursor(cursor, mark)

        def work(connection: Connection) -> Inbox:
            rows = page(
                connection,
                agent,
                limit=limit + 1,
                after=after,
                with_acknowledged=with_acknowledged,
                query=query,
                now=now,
                shipped=agent in self._shipped,
            )
            unread = self._count(connection, agent, now)
            shown = rows[:limit]
            last = shown[-1] if len(rows) > limit else None
            return Inbox(
                agent=agent,
                messages=messages_of(connection, shown),
                n_unread=unread.n_unread,
                n_urgent=unread.n_urgent,
                next_cursor=None if last is None else f"{last.rank}-{last.seq}-{mark}",
                open_delegations=open_delegations(connection, agent, now=now),
                n_dead_letters=count_dead(connection, agent, now=now),
            )

        return self._database.read(work)

    def unread(self, agent: str) -> Unread:
        """Count what ``agent`` has to read."""
        now = timestamp(self._now())
        return self._database.read(lambda connection: self._count(connection, agent, now))

    def mark(self) -> int:
        """Return the number of the newest message of all, 0 if there is none."""
        return int(self._database.read(_NEWEST.scalar))

    def work_after(self, agent: str, mark: int) -> list[Message]:
        """Return unread work for ``agent`` and results for it that came after a mark."""
        now = timestamp(self._now())
        return self._database.read(lambda c: work_after(c, agent, mark, now=now))

    def count_work_after(self, agent: str, mark: int) -> int:
        """Count unread work for ``agent`` and results for it that came after a mark."""
        now = timestamp(self._now())
        return self._database.read(lambda c: count_work_after(c, agent, mark, now=now))

    def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with, all or none."""
        now = timestamp(self._now())

        def work(connection: Connection) -> Acknowledged:
            note_agent(connection, agent, now=now)
            wanted = list(dict.fromkeys(message_ids))
            rows = connection.execute(
                select(
                    messages.c.id, messages.c.seq, messages.c.thread_id, readers.c.acknowledged_at
                )
                .join(readers, readers.c.message_seq == messages.c.seq)
                .where(readers.c.agent == agent, messages.c.id.in_(wanted))
                .order_by(messages.c.seq)
            ).all()
            _refuse_foreign(agent, wanted, rows)
            fresh = [row for row in rows if row.acknowledged_at is None]
            here = and_(
                readers.c.agent == agent, readers.c.message_seq.in_([row.seq for row in fresh])
            )
            connection.execute(update(readers).where(here).values(acknowledged_at=now))
            if fresh:
                self._news.acknowledged(connection, agent, {row.thread_id for row in fresh})
            return Acknowledged(
                agent=agent,
                acknowledged=[row.id for row in fresh],
                already=[row.id for row in rows if row.acknowledged_at is not None],
            )

        return self._database.write(work)

    def thread(self, thread_id: str) -> Thread:
        """Return a thread in order, with who has acknowledged what."""
        return self._database.read(lambda connection: read_thread(connection, thread_id))

    def acknowledgements(self, message_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return for each message who has acknowledged it, and when."""
        return self._database.read(lambda c: read_acknowledgements(c, message_ids))

    def newest(self, *, limit: int) -> list[ThreadMessage]:
        """Return the newest live messages of all agents, newest first, with their readers."""
        now = timestamp(self._now())
        return self._database.read(lambda c: read_newest(c, limit=limit, now=now))

    def dead_letters(self, agent: str) -> DeadLetters:
        """Return what ``agent`` sent and nobody got, newest first."""
        now = timestamp(self._now())
        letters = self._database.read(lambda connection: dead_of(connection, agent, now=now))
        return DeadLetters(agent=agent, letters=letters)

    def describe(self) -> str:
        """Return how many messages are stored."""
        query = select(func.count()).select_from(messages)
        return f"{self._database.read(lambda c: c.scalar(query))} messages"

    def _count(self, connection: Connection, agent: str, now: str) -> Unread:
        return count_unread(connection, agent, shipped=agent in self._shipped, now=now)

    def _store(
        self,
        connection: Connection,
        request: Mapping[str, Any],
        flags: Sequence[str],
        known: Sequence[str],
    ) -> dict[str, Any]:
        now = self._now()
        original = answered(connection, request["reply_to"])
        thread_id = None if original is None else str(original.thread_id)
        request = addressed(connection, request, thread_id, now=timestamp(now))
        request = reply_addressed(connection, request, original)
        targets = request["to"] or [name for name in known if name != request["from"]]
        check_quotas(connection, self._quotas, request, targets, now=now)
        message = _row(request, flags, now=now, thread_id=thread_id)
        seq = _ADD.scalar(connection, message)
        _ADD_READER.change_each(connection, [_reader(message, seq, agent) for agent in targets])
        note_delegation(connection, request, {**message, "seq": seq})
        self._news.sent(connection, message, targets)
        if request["type"] == RESULT:  # what is answered is dealt with
            self._news.acknowledged(connection, request["from"], {message["thread_id"]})
        tidy(connection, now=now)
        return {
            "message_id": message["id"],
            "thread_id": message["thread_id"],
            "recipients": request["to"] or ["*"],
            "timestamp": message["created_at"],
        }


def _row(
    request: Mapping[str, Any], flags: Sequence[str], *, now: datetime, thread_id: str | None
) -> dict[str, Any]:
    message_id, lasts_s = uuid.uuid4().hex, request["expires_in_s"]
    return {
        "id": message_id,
        "thread_id": thread_id or message_id,
        "reply_to": request["reply_to"],
        "from_agent": request["from"],
        "type": request["type"],
        "priority": PRIORITIES.index(request["priority"]),
        "is_broadcast": int(not request["to"]),
        "content": request["content"],
        "metadata_json": json.dumps(request["metadata"]),
        "created_at": timestamp(now),
        "expires_at": lasts_s and timestamp(now + timedelta(seconds=lasts_s)),
        "ack_wanted": int(request["ack_wanted"]),
        "flags": json.dumps(flags),
        "tidy_at": first_look(now),
    }


def _reader(message: Mapping[str, Any], seq: int, agent: str) -> dict[str, Any]:
    rank = len(PRIORITIES) - 1 - message["priority"]
    expires_at = message["expires_at"]
    return {"message_seq": seq, "agent": agent, "rank": rank, "expires_at": expires_at}


def _unknown(strangers: Sequence[str], known: Sequence[str]) -> NotFoundError:
    return NotFoundError(
        f"No agent named {each_near(strangers, known)}; known: {', '.join(known)}. "
        "An agent becomes known when it first saves memory or sends a message. "
        "Nothing was sent; the letter is kept as a dead one."
    )


def _refuse_foreign(agent: str, wanted: Sequence[str], rows: Sequence[Any]) -> None:
    found = {row.id for row in rows}
    if missing := [message_id for message_id in wanted if message_id not in found]:
        raise NotFoundError(
            f"No message {', '.join(map(repr, missing))} for {agent}. "
            "Take ids from message_inbox. Nothing was acknowledged."
        )
