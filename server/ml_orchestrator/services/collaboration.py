"""Memory and messages: how agents remember and reach one another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyio.to_thread import run_sync

from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    Insight,
    SavedMemory,
    SharedContext,
    Task,
)
from ml_orchestrator.memory.store import MemoryStore
from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.messaging.models import Acknowledged, Inbox, Priority, SentMessage

__all__ = ["CollaborationService"]


FIRST_MESSAGES = 20


class CollaborationService:
    """Owns what agents know and tell; everything it returns is data, never instructions."""

    def __init__(
        self,
        memory: Callable[[], MemoryStore],
        mailbox: Callable[[], Mailbox],
    ) -> None:
        self._memory = memory
        self._mailbox = mailbox

    async def load_memory(self, agent: str, *, limit: int) -> AgentMemory:
        """Return the newest of what ``agent`` remembers."""
        return await run_sync(lambda: self._memory().load(agent, limit=limit))

    async def brief(self, agent: str, *, limit: int) -> tuple[AgentMemory, SharedContext, Inbox]:
        """Return what an agent should know before it starts: memory, context, first messages."""

        def read() -> tuple[AgentMemory, SharedContext, Inbox]:
            memory = self._memory()
            inbox = self._mailbox().inbox(agent, limit=FIRST_MESSAGES)
            return memory.load(agent, limit=limit), memory.shared_context(), inbox

        return await run_sync(read)

    async def update_context(
        self, content: dict[str, Any], *, expected_revision: int, actor: str
    ) -> SharedContext:
        """Replace what all agents share, if nobody has changed it meanwhile."""
        return await run_sync(
            lambda: self._memory().put_shared_context(
                content, expected_revision=expected_revision, actor=actor
            )
        )

    async def save_memory(
        self,
        agent: str,
        *,
        task: Task | None,
        insights: Sequence[Insight],
        collaborations: Sequence[Collaboration],
        idempotency_key: str | None,
    ) -> SavedMemory:
        """Store a task, insights and collaborations, all or nothing."""
        return await run_sync(
            lambda: self._memory().save(
                agent,
                task=task,
                insights=insights,
                collaborations=collaborations,
                idempotency_key=idempotency_key,
            )
        )

    async def send(
        self,
        agent: str,
        *,
        message_type: str,
        content: str,
        target_agents: Sequence[str],
        priority: Priority,
        metadata: Mapping[str, Any],
        reply_to: str | None,
        expires_in_s: float | None,
        idempotency_key: str | None,
    ) -> SentMessage:
        """Send a message to named agents, or to everybody when none is named."""
        return await run_sync(
            lambda: self._mailbox().send(
                agent,
                message_type=message_type,
                content=content,
                target_agents=target_agents,
                priority=priority,
                metadata=metadata,
                reply_to=reply_to,
                expires_in_s=expires_in_s,
                idempotency_key=idempotency_key,
            )
        )

    async def inbox(
        self, agent: str, *, limit: int, cursor: str | None, with_acknowledged: bool
    ) -> Inbox:
        """Return one page of an agent's messages."""
        return await run_sync(
            lambda: self._mailbox().inbox(
                agent, limit=limit, cursor=cursor, with_acknowledged=with_acknowledged
            )
        )

    async def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with."""
        return await run_sync(lambda: self._mailbox().acknowledge(agent, message_ids))
