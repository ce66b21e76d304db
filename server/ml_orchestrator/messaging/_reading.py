"""Queries of an inbox: one index, whatever others have."""

import json
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
)

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.messaging.models import (
    DELEGATION,
    MOST_WORK_TOLD,
    PRIORITIES,
    RESULT,
    WITHDRAWAL,
    Message,
    Unread,
)
from ml_orchestrator.storage.agents import is_known_agent
from ml_orchestrator.storage.message_rows import newcomers_see_from
from ml_orchestrator.storage.schema import delegations, messages
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import FLAGS, cut

__all__ = [
    "count_unread",
    "count_work_after",
    "messages_of",
    "page",
    "parse_cursor",
    "to_message",
    "work_after",
]

URGENT_RANK = 0
MOST_URGENT_TOLD = 3
BEGINNING = 80
_CURSOR = re.compile(r"([0-9]{1,2})-([0-9]{1,18})-([0-9a-f]{8})")
_SHOWN = (messages, readers.c.acknowledged_at, readers.c.rank)
# What has no end is counted by the database; what has one is looked up by its end.
_N_UNREAD = Statement(
    text(
        "SELECT coalesce((SELECT n FROM unread_counts WHERE agent = :agent), 0) + "
        "(SELECT count(*) FROM message_recipients WHERE agent = :agent AND acknowledged_at IS NULL "
        "AND expires_at > :now) AS n_unread, "
        "coalesce((SELECT n_urgent FROM unread_counts WHERE agent = :agent), 0) + "
        "(SELECT count(*) FROM message_recipients WHERE agent = :agent AND acknowledged_at IS NULL "
        "AND expires_at > :now AND rank = 0) AS n_urgent"
    )
)
_URGENT = Statement(
    select(messages.c.content, messages.c.flags)
    .join(readers, readers.c.message_seq == messages.c.seq)
    .where(
        readers.c.agent == bindparam("agent"),
        readers.c.acknowledged_at.is_(None),
        or_(readers.c.expires_at.is_(None), readers.c.expires_at > bindparam("now")),
        readers.c.rank == literal(URGENT_RANK),
    )
    .order_by(readers.c.message_seq)
    .limit(literal(MOST_URGENT_TOLD))
)
_IS_WORK = (
    readers.c.message_seq == messages.c.seq,
    readers.c.agent == bindparam("agent"),
    readers.c.acknowledged_at.is_(None),
    or_(readers.c.expires_at.is_(None), readers.c.expires_at > bindparam("now")),
    readers.c.message_seq > bindparam("mark"),
    or_(*(messages.c.type == literal(each) for each in (DELEGATION, RESULT, WITHDRAWAL))),
    ~exists().where(  # what was taken back or answered is no work any more
        delegations.c.message_seq == messages.c.seq, delegations.c.outcome.is_not(None)
    ),
)
_WORK = Statement(
    select(*_SHOWN).where(*_IS_WORK).order_by(readers.c.message_seq).limit(literal(MOST_WORK_TOLD))
)
_N_WORK = Statement(select(func.count()).select_from(messages, readers).where(*_IS_WORK))
_TARGETS = (
    select(readers.c.message_seq, readers.c.agent)
    .where(readers.c.message_seq.in_(bindparam("seqs", expanding=True)))
    .order_by(readers.c.agent)
)
_TARGETS_OF_ONE = Statement(
    select(readers.c.message_seq, readers.c.agent)
    .where(readers.c.message_seq == bindparam("seq"))
    .order_by(readers.c.agent)
)
_HAS_ROWS = Statement(
    select(readers.c.agent).where(readers.c.agent == bindparam("agent")).limit(literal(1))
)


def _pages(
    found: Select[Any], rank: ColumnElement[int], seq: ColumnElement[int]
) -> dict[tuple[bool, bool, bool], Statement]:
    """Return the query of a page by whether it shows acknowledged ones, is not the first, and
    looks for a text.

    Built once. Sorted by columns of one table, so that its index is read in order and only as
    far as the page goes.
    """
    found = found.order_by(rank, seq).limit(bindparam("limit"))
    after = tuple_(rank, seq) > tuple_(bindparam("after_rank"), bindparam("after_seq"))
    unread = found.selected_columns["acknowledged_at"].is_(None)
    query = func.lower(bindparam("query"))  # by the database, so that both are lowered alike
    holds = func.lower(messages.c.content).contains(query, autoescape=False, escape="/")
    return {
        (with_acknowledged, is_next, has_query): Statement(
            found.where(
                *(() if with_acknowledged else (unread,)),
                *((after,) if is_next else ()),
                *((holds,) if has_query else ()),
            )
        )
        for with_acknowledged in (False, True)
        for is_next in (False, True)
        for has_query in (False, True)
    }


_PAGES = _pages(
    select(*_SHOWN)
    .join(readers, readers.c.message_seq == messages.c.seq)
    .where(
        readers.c.agent == bindparam("agent"),
        or_(readers.c.expires_at.is_(None), readers.c.expires_at > bindparam("now")),
    ),
    readers.c.rank,
    readers.c.message_seq,
)
_RANK = literal(len(PRIORITIES) - 1) - messages.c.priority
_PAGES_OF_STRANGERS = _pages(  # nobody knew them, so only what was sent to all
    select(messages, null().label("acknowledged_at"), _RANK.label("rank")).where(
        messages.c.is_broadcast == literal(1),
        messages.c.from_agent != bindparam("agent"),
        or_(messages.c.expires_at.is_(None), messages.c.expires_at > bindparam("now")),
        messages.c.created_at > bindparam("since"),
    ),
    _RANK,
    messages.c.seq,
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
    shipped: bool,
) -> Sequence[Row[Any]]:
    """Return up to ``limit`` rows, most urgent first, then oldest first."""
    asked: dict[str, Any] = {"agent": agent, "now": now, "limit": limit}
    if after is not None:
        asked |= {"after_rank": after[0], "after_seq": after[1]}
    if query:
        asked["query"] = _escaped(query)
    pages = _PAGES
    if not (shipped or _is_reader(connection, agent)):
        pages, asked["since"] = _PAGES_OF_STRANGERS, newcomers_see_from(now)
    return pages[with_acknowledged, after is not None, bool(query)].all(connection, asked)


def count_unread(connection: Connection, agent: str, *, shipped: bool, now: str) -> Unread:
    """Count what is unread, and say how the most urgent ones begin."""
    if not shipped and not is_known_agent(connection, agent):
        broadcasts = page(
            connection,
            agent,
            limit=1_000,
            after=None,
            with_acknowledged=False,
            query=None,
            now=now,
            shipped=False,
        )
        pressing = [row for row in broadcasts if row.rank == URGENT_RANK]
        return _unread(len(broadcasts), pressing, n_urgent=len(pressing))
    who_and_when = {"agent": agent, "now": now}
    counted = _N_UNREAD.first(connection, who_and_when)
    urgent = _URGENT.all(connection, who_and_when) if counted.n_urgent else ()
    return _unread(counted.n_unread, urgent, n_urgent=counted.n_urgent)


def work_after(connection: Connection, agent: str, mark: int, *, now: str) -> list[Message]:
    """Return unread open work, results and withdrawals numbered above ``mark``, oldest first."""
    rows = _WORK.all(connection, {"agent": agent, "mark": mark, "now": now})
    return messages_of(connection, rows)


def count_work_after(connection: Connection, agent: str, mark: int, *, now: str) -> int:
    """Return how many of those that `work_after` returns there are with a number above ``mark``."""
    return int(_N_WORK.scalar(connection, {"agent": agent, "mark": mark, "now": now}))


def messages_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Message]:
    """Return rows as messages, each with its targets."""
    targets: dict[int, list[str]] = {row.seq: [] for row in rows if not row.is_broadcast}
    for reader in _targets(connection, list(targets)):
        targets[reader.message_seq].append(reader.agent)
    return [to_message(row, targets.get(row.seq, [])) for row in rows]


def _targets(connection: Connection, seqs: Sequence[int]) -> list[Row[Any]]:
    if connection.dialect.name == "sqlite":  # one after the other it takes less than as a list
        return [row for seq in seqs for row in _TARGETS_OF_ONE.all(connection, {"seq": seq})]
    return list(connection.execute(_TARGETS, {"seqs": seqs})) if seqs else []


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


def parse_cursor(cursor: str | None, mark: str) -> tuple[int, int] | None:
    """Read rank and number of the last message of the page before.

    Raises:
        InvalidInputError: it is not one of ours, or of another inbox or query, whose ``mark``
            differs.
    """
    if cursor is None:
        return None
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidInputError(
            f"{cursor[:60]!r} is no cursor of message_inbox. Pass next_cursor of the page before "
            "as it is, or leave it out to start."
        )
    if found[3] != mark:
        raise InvalidInputError(
            f"Cursor {cursor!r} is of another agent, query or with_acknowledged. Pass it with "
            "those of the page before, or leave it out to start."
        )
    return int(found[1]), int(found[2])


def _is_reader(connection: Connection, agent: str) -> bool:
    """Whether anything was sent to ``agent`` by name or as one that was known."""
    has_rows = _HAS_ROWS.first(connection, {"agent": agent}) is not None
    return has_rows or is_known_agent(connection, agent)


def _unread(n_unread: int, rows: Sequence[Row[Any]], *, n_urgent: int) -> Unread:
    told = rows[:MOST_URGENT_TOLD]
    odd = {flag for row in told for flag in json.loads(row.flags or "[]")}
    return Unread(
        n_unread=n_unread,
        n_urgent=n_urgent,
        urgent=[cut(row.content, BEGINNING) for row in told],
        flags=[flag for flag in FLAGS if flag in odd],
    )


def _escaped(text: str) -> str:
    """Return a text in which LIKE finds no wildcard, with "/" before what would be one."""
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")
