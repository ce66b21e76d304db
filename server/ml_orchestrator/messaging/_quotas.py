"""How much one agent may write, so that two agents in a loop cannot flood the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ml_orchestrator.errors import QuotaExceededError
from ml_orchestrator.messaging.models import PRIORITIES
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages

__all__ = ["Quotas", "check_quotas"]

WINDOW = timedelta(seconds=60)
URGENT = PRIORITIES.index("urgent")


@dataclass(frozen=True, slots=True)
class Quotas:
    """Messages within any 60 seconds: of one sender, to one reader, and urgent ones of a sender."""

    per_sender: int = 600
    per_pair: int = 120
    urgent: int = 20


def check_quotas(
    connection: Connection, quotas: Quotas, request: Mapping[str, Any], *, now: datetime
) -> None:
    """Refuse a message beyond a quota.

    Raises:
        QuotaExceededError: the message says which quota, and when sending is possible again.
    """
    sender, since = request["from"], timestamp(now - WINDOW)
    sent = select(func.count(), func.min(messages.c.created_at)).where(
        messages.c.from_agent == sender, messages.c.created_at > since
    )
    _check(connection, sent, quotas.per_sender, f"messages of {sender}", now)
    if request["priority"] == "urgent":
        urgent = sent.where(messages.c.priority == URGENT)
        _check(connection, urgent, quotas.urgent, f"urgent messages of {sender}", now)
    for reader in request["to"]:
        to_reader = sent.where(
            select(readers.c.agent)
            .where(readers.c.message_seq == messages.c.seq, readers.c.agent == reader)
            .exists()
        )
        _check(connection, to_reader, quotas.per_pair, f"messages of {sender} to {reader}", now)


def _check(
    connection: Connection, query: "Select[int, Any]", quota: int, what: str, now: datetime
) -> None:
    n_sent, first_at = connection.execute(query).one()
    if n_sent < quota:
        return
    free_at = datetime.fromisoformat(first_at) + WINDOW
    wait_s = max(1, round((free_at - now).total_seconds()))
    raise QuotaExceededError(
        f"{n_sent} {what} within {WINDOW.seconds} s; at most {quota} are taken. Nothing was sent. "
        f"The next one is possible in {wait_s} s; put several things into one message."
    )
