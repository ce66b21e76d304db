"""What a message answers, and whom a reply goes to that names nobody."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.messaging.models import RESULT, SERVER_SENDERS, WITHDRAWAL
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages
from ml_orchestrator.storage.statements import Statement

__all__ = ["answered", "reply_addressed"]

_ANSWERED = Statement(
    select(
        messages.c.seq, messages.c.thread_id, messages.c.from_agent, messages.c.is_broadcast
    ).where(messages.c.id == bindparam("id"))
)
_TARGETS = Statement(
    select(readers.c.agent)
    .where(readers.c.message_seq == bindparam("seq"))
    .order_by(readers.c.agent)
)


def answered(connection: Connection, message_id: str | None) -> Row[Any] | None:
    """Return number, thread and sender of the message that is replied to; None without any.

    Raises:
        NotFoundError: there is no such message.
    """
    if message_id is None:
        return None
    found: Row[Any] | None = _ANSWERED.first(connection, {"id": message_id})
    if found is None:
        raise NotFoundError(
            f"No message {message_id!r} to reply to. "
            "Take the message_id from message_inbox, or leave reply_to out."
        )
    return found


def reply_addressed(
    connection: Connection, request: Mapping[str, Any], original: Row[Any] | None
) -> Mapping[str, Any]:
    """Return a message with its targets: a reply without any goes to who wrote what it answers.

    What an agent adds to a message of its own, or says to one of the server's, goes to those who
    were told that, too. Whom a result or a withdrawal goes to depends on the work it is about.
    """
    if original is None or request["to"] or request["type"] in (RESULT, WITHDRAWAL):
        return request
    if original.from_agent not in (request["from"], *SERVER_SENDERS):
        return {**request, "to": [original.from_agent]}
    if original.is_broadcast:
        return request
    told = {row.agent for row in _TARGETS.all(connection, {"seq": original.seq})}
    return {**request, "to": sorted(told - {request["from"]}) or [original.from_agent]}
