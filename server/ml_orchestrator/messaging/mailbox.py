"""What every mailbox promises."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ml_orchestrator.messaging.models import (
    Acknowledged,
    DeadLetters,
    Inbox,
    Message,
    Priority,
    SentMessage,
    Thread,
    Unread,
)

__all__ = ["Mailbox"]


class Mailbox(Protocol):
    """Messages between agents, shared by many processes.

    A message is delivered to each of its readers until that reader acknowledges it or it
    expires; acknowledging twice is harmless, so a reader that acknowledges gets each once. A
    broadcast reaches every agent but its sender, those included that show up within 7 days.
    Messages of a thread are numbered in the order in which they were stored. A call that returned
    is durable. Messages go 90 days or somewhat longer after they expired, or after all of their
    readers acknowledged them, unless work is open in their thread.
    """

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
        """Store a message; no target means everybody, in a reply whoever wrote what it answers.

        A reply to a message of its own sender, or of the server's, goes to those who got that.

        Without ``priority`` that of ``metadata`` counts, as in the origin, else it is medium.

        A ``delegation`` opens work on its one target's side; that agent's ``delegation_result`` in
        reply closes it and counts it, once, for both; after its end it closes it uncounted. A
        ``delegation_withdrawn`` in reply by whoever handed it over closes it uncounted, too.

        Raises:
            NotFoundError: a recipient is unknown, and the letter is kept as a dead one; or the
                message replied to is, and nothing is kept.
            ConflictError: the key was used before for something else, or nothing open is closed.
            InvalidInputError: it is larger than a message may be, of an odd type, of two
                priorities or of one that is none; a delegation has no single target, a result no
                outcome, or goes past who waits for it.
            QuotaExceededError: the sender has written too much lately.
        """
        ...

    def inbox(
        self,
        agent: str,
        *,
        limit: int = 20,
        cursor: str | None = None,
        with_acknowledged: bool = False,
        query: str | None = None,
    ) -> Inbox:
        """Return one page of what ``agent`` has to read; reading does not acknowledge.

        ``query`` keeps messages whose content holds it, upper and lower case alike; a blank one is
        none.

        Raises:
            InvalidInputError: the cursor is not one of ours, or not of this inbox and query.
        """
        ...

    def unread(self, agent: str) -> Unread:
        """Count what ``agent`` has to read; its cost does not grow with what others have."""
        ...

    def mark(self) -> int:
        """Return a mark between the messages stored so far and those to come."""
        ...

    def work_after(self, agent: str, mark: int) -> list[Message]:
        """Return what was handed to ``agent`` or back to it after a mark, oldest first.

        These are unread messages of type ``delegation`` and ``delegation_result``, 20 at most.
        """
        ...

    def count_work_after(self, agent: str, mark: int) -> int:
        """Count what ``work_after`` would return if it had no limit."""
        ...

    def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with.

        Raises:
            NotFoundError: an id is not among this agent's messages; nothing is marked.
        """
        ...

    def thread(self, thread_id: str) -> Thread:
        """Return a thread in order, with who has acknowledged what.

        Raises:
            NotFoundError: there is no such thread.
        """
        ...

    def dead_letters(self, agent: str) -> DeadLetters:
        """Return what ``agent`` sent in vain in the last 90 days, newest first.

        Letters to unknown agents are kept when they are refused, once however often they are
        tried; one whose sender wanted an acknowledgement and that expired without it becomes a
        dead letter too.
        """
        ...

    def describe(self) -> str:
        """Return how much is stored, in one line for a health report."""
        ...
