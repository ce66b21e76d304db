"""How much one agent may write, so that two agents in a loop cannot flood the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal, select

from ml_orchestrator.errors import InvalidInputError, QuotaExceededError
from ml_orchestrator.messaging.models import PRIORITIES
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import message_recipients as readers
from ml_orchestrator.storage.schema import messages
from ml_orchestrator.storage.statements import Statement

__all__ = ["Quotas", "check_quotas", "quotas_of"]

WINDOW = timedelta(seconds=60)
URGENT = PRIORITIES.index("urgent")
_SENT = Statement(
    select(
        func.count().label("n"),
        func.min(messages.c.created_at).label("first_at"),
        func.count().filter(messages.c.priority == literal(URGENT)).label("n_urgent"),
        func.min(messages.c.created_at)
        .filter(messages.c.priority == literal(URGENT))
        .label("first_urgent_at"),
    ).where(
        messages.c.from_agent == bindparam("sender"), messages.c.created_at > bindparam("since")
    )
)
_TO_READERS = (
    select(
        readers.c.agent,
        func.count().label("n"),
        func.min(messages.c.created_at).label("first_at"),
    )
    .join(messages, messages.c.seq == readers.c.message_seq)
    .where(
        messages.c.from_agent == bindparam("sender"),
        messages.c.created_at > bindparam("since"),
        readers.c.agent.in_(bindparam("readers", expanding=True)),
    )
    .group_by(readers.c.agent)
    .order_by(readers.c.agent)
)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Messages within any 60 seconds: of one sender, to one reader, and urgent ones of a sender.

    Raises:
        InvalidInputError: one is less than 1.
    """

    per_sender: int = 600
    per_pair: int = 120
    urgent: int = 20

    def __post_init__(self) -> None:
        """Refuse a quota under which nothing could ever be sent."""
        for each in fields(self):
            if (quota := getattr(self, each.name)) < 1:
                raise InvalidInputError(
                    f"The quota {each.name} is {quota} messages a minute. Give 1 or more."
                )


def quotas_of(settings: Settings) -> Quotas:
    """Return the quotas that a person has set, for every door that agents send through."""
    return Quotas(
        per_sender=settings.messages_per_minute,
        per_pair=settings.messages_per_minute_to_one,
        urgent=settings.urgent_messages_per_minute,
    )


def check_quotas(
    connection: Connection,
    quotas: Quotas,
    request: Mapping[str, Any],
    targets: Sequence[str],
    *,
    now: datetime,
) -> None:
    """Refuse a message to ``targets``, those of a broadcast included, beyond a quota.

    Raises:
        QuotaExceededError: the message says which quota, and when sending is possible again.
    """
    sender = request["from"]
    asked = {"sender": sender, "since": timestamp(now - WINDOW)}
    sent = _SENT.first(connection, asked)
    _check(sent.n, sent.first_at, quotas.per_sender, f"messages of {sender}", now)
    if request["priority"] == "urgent":
        what = f"urgent messages of {sender}"
        _check(sent.n_urgent, sent.first_urgent_at, quotas.urgent, what, now)
    if sent.n >= quotas.per_pair and targets:  # otherwise no reader can have had so many
        for row in connection.execute(_TO_READERS, {**asked, "readers": targets}):
            what = f"messages of {sender} to {row.agent}"
            _check(row.n, row.first_at, quotas.per_pair, what, now)


def _check(n_sent: int, first_at: str, quota: int, what: str, now: datetime) -> None:
    if n_sent < quota:
        return
    free_at = datetime.fromisoformat(first_at) + WINDOW
    wait_s = max(1, round((free_at - now).total_seconds()))
    raise QuotaExceededError(
        f"{n_sent} {what} within {WINDOW.seconds} s; at most {quota} are taken. Nothing was sent. "
        f"The next one is possible in {wait_s} s; put several things into one message."
    )
