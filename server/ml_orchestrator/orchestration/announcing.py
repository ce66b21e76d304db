"""What engines tell of themselves, published as events in the transactions that it happened in.

Engines know no events: they are given functions to call, and these are made here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ml_orchestrator.messaging._news import MailNews
from ml_orchestrator.messaging.models import Lease
from ml_orchestrator.orchestration.events._connect import source_of
from ml_orchestrator.orchestration.events._log import Outbox
from ml_orchestrator.orchestration.events.definition import Priority
from ml_orchestrator.orchestration.events.kinds import (
    AlertOpened,
    AlertResolved,
    AliasMoved,
    LeaseChanged,
    LetterBuried,
    MemoryChanged,
    MessagesAcknowledged,
    MessageSent,
    RolloutChanged,
)

if TYPE_CHECKING:  # memory and messages do without them
    from ml_orchestrator.health.monitors.models import Alert
    from ml_orchestrator.registry.models import AliasMove
    from ml_orchestrator.serving.rollout.actions import Rollout

__all__ = [
    "MailAnnouncer",
    "announce_alert",
    "announce_lease",
    "announce_memory",
    "announce_move",
    "announce_rollout",
    "outbox_of",
]


def outbox_of(role: str) -> Outbox:
    """Return an outbox for one part of this process."""
    return Outbox(source_of(role))


class MailAnnouncer(MailNews):
    """Publishes what a mailbox tells; an urgent message is an urgent event.

    ``acted`` is told then, in the same transaction, who has sent or acknowledged something.
    """

    def __init__(
        self, outbox: Outbox, *, acted: Callable[[Connection, str], None] = lambda *_: None
    ) -> None:
        self._outbox = outbox
        self._acted = acted

    def sent(
        self, connection: Connection, message: Mapping[str, Any], readers: Sequence[str]
    ) -> None:
        """Publish that a message waits."""
        event = MessageSent(
            message_id=message["id"],
            thread_id=message["thread_id"],
            from_agent=message["from_agent"],
            readers=tuple(readers),
            expires_at=message["expires_at"],
        )
        self._outbox.publish(connection, event, priority=Priority(message["priority"]))
        self._acted(connection, message["from_agent"])

    def acknowledged(self, connection: Connection, agent: str, threads: Collection[str]) -> None:
        """Publish that messages were dealt with."""
        event = MessagesAcknowledged(agent=agent, threads=tuple(sorted(threads)))
        self._outbox.publish(connection, event)
        self._acted(connection, agent)

    def buried(self, connection: Connection, from_agent: str) -> None:
        """Publish that a letter reached nobody."""
        self._outbox.publish(connection, LetterBuried(from_agent=from_agent))


def announce_memory(outbox: Outbox) -> Callable[[Connection, str], None]:
    """Return what publishes that an agent's memory has changed."""

    def announce(connection: Connection, agent: str) -> None:
        outbox.publish(connection, MemoryChanged(agent=agent))

    return announce


def announce_lease(outbox: Outbox) -> Callable[[Connection, Lease], None]:
    """Return what publishes that a lease has changed."""

    def announce(connection: Connection, lease: Lease) -> None:
        event = LeaseChanged(
            resource=lease.resource, holder=lease.holder, expires_at=lease.expires_at
        )
        outbox.publish(connection, event)

    return announce


def announce_move(outbox: Outbox) -> "Callable[[Connection, AliasMove], None]":
    """Return what publishes that an alias points elsewhere."""

    def announce(connection: Connection, move: "AliasMove") -> None:
        event = AliasMoved(
            model=move.model,
            alias=move.alias,
            from_version=move.from_version,
            to_version=move.to_version,
            actor=move.actor,
            move_id=move.id,
            is_observed=move.state == "observed",
        )
        outbox.publish(connection, event)

    return announce


def announce_rollout(outbox: Outbox) -> "Callable[[Connection, Rollout], None]":
    """Return what publishes that a roll-out is in another state."""

    def announce(connection: Connection, rollout: "Rollout") -> None:
        event = RolloutChanged(
            rollout_id=rollout.id,
            model=rollout.model,
            alias=rollout.alias,
            version=rollout.version,
            state=rollout.state,
            actor=rollout.actor,
            n_pauses=rollout.progress.n_pauses,
        )
        outbox.publish(connection, event)

    return announce


def announce_alert(outbox: Outbox) -> "Callable[[Connection, Alert, str], None]":
    """Return what publishes that an alert has opened or is resolved."""

    def announce(connection: Connection, alert: "Alert", owner: str) -> None:
        who = {"alert_id": alert.alert_id, "monitor": alert.monitor, "owner": owner}
        if alert.resolved_at is None:
            opened = AlertOpened(**who, kind=alert.kind, summary=alert.summary)
            outbox.publish(connection, opened)
        else:
            outbox.publish(connection, AlertResolved(**who))

    return announce
