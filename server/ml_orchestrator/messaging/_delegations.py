"""Work handed from one agent to another, opened and closed by messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    insert,
    literal,
    or_,
    select,
    update,
)

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.messaging.models import DELEGATION, RESULT, WITHDRAWAL, OpenDelegation
from ml_orchestrator.storage.collaborations import LONGEST_TASK_TYPE, count_work
from ml_orchestrator.storage.schema import delegations as table
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import flags_of_stored

__all__ = ["addressed", "check_delegation", "note_delegation", "open_delegations"]

OUTCOMES = ("success", "partial", "failure")
WITHDRAWN = "withdrawn"  # what a delegation came to that was taken back
MOST_SHOWN = 20
USUAL_TASK = "delegation"
_OPEN = Statement(
    select(table)
    .where(
        or_(table.c.to_agent == bindparam("agent"), table.c.from_agent == bindparam("agent")),
        table.c.outcome.is_(None),
        or_(table.c.expires_at.is_(None), table.c.expires_at > bindparam("now")),
    )
    .order_by(table.c.message_seq)
    .limit(literal(MOST_SHOWN))
)


def check_delegation(request: Mapping[str, Any]) -> None:
    """Refuse a delegation without one target, or to oneself, and a result without an outcome.

    Raises:
        InvalidInputError: the message says what is missing.
    """
    if request["type"] == DELEGATION and len(request["to"]) != 1:
        raise InvalidInputError(
            f"A delegation has one target; found {len(request['to'])}. Send one for each colleague."
        )
    if request["type"] == DELEGATION and request["to"] == [request["from"]]:
        raise InvalidInputError(
            f"{request['from']} cannot delegate to itself. Name a colleague in target_agents."
        )
    if request["type"] == RESULT and request["metadata"].get("outcome") not in OUTCOMES:
        raise InvalidInputError(
            f"A delegation_result says in metadata.outcome how it went: {', '.join(OUTCOMES)}; "
            f"found {request['metadata'].get('outcome')!r}."
        )


def addressed(
    connection: Connection, request: Mapping[str, Any], thread_id: str | None, *, now: str
) -> Mapping[str, Any]:
    """Return a message with its targets: a result or a withdrawal without any goes to the other.

    Raises:
        ConflictError: it answers nothing that is open for its sender.
    """
    if request["to"] or request["type"] not in (RESULT, WITHDRAWAL):
        return request
    message = {"thread_id": thread_id, "created_at": now}
    if request["type"] == RESULT:
        other = _answered(connection, request, message, by=table.c.to_agent).from_agent
    else:
        other = _answered(connection, request, message, by=table.c.from_agent).to_agent
    return {**request, "to": [other]}


def note_delegation(
    connection: Connection, request: Mapping[str, Any], message: Mapping[str, Any]
) -> None:
    """Open or close work, if the message that was just stored does either.

    Raises:
        ConflictError: a result or a withdrawal answers nothing that is open for its sender.
        InvalidInputError: it does not go to the other one of the two.
    """
    if request["type"] == DELEGATION:
        _open(connection, request, message)
    elif request["type"] == RESULT:
        _close(connection, request, message)
    elif request["type"] == WITHDRAWAL:
        _withdraw(connection, request, message)


def open_delegations(connection: Connection, agent: str, *, now: str) -> list[OpenDelegation]:
    """Return work that waits for ``agent`` or that it waits for, oldest first, 20 at most."""
    rows = _OPEN.all(connection, {"agent": agent, "now": now})
    return [
        OpenDelegation(
            message_id=row.message_id,
            from_agent=row.from_agent,
            to_agent=row.to_agent,
            task_type=row.task_type,
            flags=list(flags_of_stored(row.task_type)),
            opened_at=row.opened_at,
        )
        for row in rows
    ]


def _open(connection: Connection, request: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    task_type = request["metadata"].get("task_type", USUAL_TASK)
    connection.execute(
        insert(table).values(
            message_seq=message["seq"],
            message_id=message["id"],
            thread_id=message["thread_id"],
            from_agent=request["from"],
            to_agent=request["to"][0],
            task_type=str(task_type)[:LONGEST_TASK_TYPE] or USUAL_TASK,
            opened_at=message["created_at"],
            expires_at=message["expires_at"],
        )
    )


def _close(connection: Connection, request: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    found = _answered(connection, request, message, by=table.c.to_agent)
    _refuse_elsewhere(request, found.from_agent, "who handed this work over")
    now, outcome = message["created_at"], request["metadata"]["outcome"]
    _settle(connection, found, outcome, now=now)
    _acknowledge(connection, found, now=now)
    if not _is_live(found, now):
        return  # nobody waited for it any more, so it says nothing of working together
    for agent, colleague in (
        (found.from_agent, found.to_agent),
        (found.to_agent, found.from_agent),
    ):
        count_work(
            connection,
            agent,
            colleague,
            task_type=found.task_type,
            success=outcome == "success",
            now=now,
        )


def _withdraw(
    connection: Connection, request: Mapping[str, Any], message: Mapping[str, Any]
) -> None:
    found = _answered(connection, request, message, by=table.c.from_agent)
    _refuse_elsewhere(request, found.to_agent, "who was to do this work")
    _settle(connection, found, WITHDRAWN, now=message["created_at"])


def _answered(
    connection: Connection,
    request: Mapping[str, Any],
    message: Mapping[str, Any],
    *,
    by: ColumnElement[str],
) -> Row[Any]:
    """Return the open work that a message closes: the one replied to, else the thread's only one.

    Work that is replied to is meant and no other, settled or not. Work that expired is meant
    where it is replied to, or where none is left that did not.
    """
    here: Sequence[Row[Any]] = connection.execute(
        select(table).where(table.c.thread_id == message["thread_id"], by == request["from"])
    ).all()
    named = [row for row in here if row.message_id == request["reply_to"]]
    for row in named:
        _refuse_settled(request, row)
    rows = [row for row in here if row.outcome is None]
    live = [row for row in rows if _is_live(row, message["created_at"])]
    if len(found := named or live or rows) == 1:
        return found[0]
    raise ConflictError(
        f"{len(found)} delegations of this thread are open for {request['from']}; a "
        f"{request['type']} closes one. Reply to the message_id of the delegation; open ones are "
        "in message_inbox."
    )


def _refuse_settled(request: Mapping[str, Any], row: Row[Any]) -> None:
    if row.outcome is not None:
        how = (
            f"taken back by {row.from_agent}"
            if row.outcome == WITHDRAWN
            else f"answered by {row.to_agent} ({row.outcome})"
        )
        raise ConflictError(
            f"Delegation {row.message_id} was {how} at {row.settled_at}, so this "
            f"{request['type']} was not sent. What you have to say goes as another message_type."
        )


def _acknowledge(connection: Connection, found: Row[Any], *, now: str) -> None:
    """Let a delegation that is answered wait no more in the inbox of who answered it."""
    waits = and_(
        readers.c.message_seq == found.message_seq,
        readers.c.agent == found.to_agent,
        readers.c.acknowledged_at.is_(None),
    )
    connection.execute(update(readers).where(waits).values(acknowledged_at=now))


def _is_live(row: Row[Any], now: str) -> bool:
    return row.expires_at is None or row.expires_at > now


def _refuse_elsewhere(request: Mapping[str, Any], colleague: str, who: str) -> None:
    if request["to"] and colleague not in request["to"]:
        raise InvalidInputError(
            f"A {request['type']} of this delegation goes to {colleague}, {who}; found only "
            f"{', '.join(request['to'])}. Add {colleague} to target_agents. Nothing was sent."
        )


def _settle(connection: Connection, found: Row[Any], outcome: str, *, now: str) -> None:
    here = table.c.message_seq == found.message_seq
    connection.execute(update(table).where(here).values(outcome=outcome, settled_at=now))
