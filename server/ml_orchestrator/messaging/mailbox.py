"""What every mailbox promises."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ml_orchestrator.messaging.models import Acknowledged, Inbox, Priority, SentMessage

__all__ = ["Mailbox"]


class Mailbox(Protocol):
    """Messages between agents, shared by many processes.

    A message is delivered to each of its readers until that reader acknowledges it or it
    expires; acknowledging twice is harmless. A broadcast reaches every agent but its sender,
    those included that show up later. A call that returned is durable.
    """

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
        """Store a message; no target means everybody.

        Raises:
            NotFoundError: a recipient or the message replied to is unknown.
            ConflictError: the key was used before for something else.
        """
        ...

    def inbox(
        self,
        agent: str,
        *,
        limit: int = 20,
        cursor: str | None = None,
        with_acknowledged: bool = False,
    ) -> Inbox:
        """Return one page of what ``agent`` has to read; reading does not acknowledge."""
        ...

    def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with.

        Raises:
            NotFoundError: an id is not among this agent's messages; nothing is marked.
        """
        ...

    def describe(self) -> str:
        """Return how much is stored, in one line for a health report."""
        ...
