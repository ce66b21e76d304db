"""Memory and messages: how agents remember and reach one another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyio.to_thread import run_sync

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory.forget_models import Forgotten
from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    Insight,
    Knowledge,
    SavedMemory,
    SharedContext,
    Task,
    UsedRecord,
)
from ml_orchestrator.memory.requests import UNKNOWN, Filters, Origin, Selection
from ml_orchestrator.memory.search_models import Digest, FoundMemories
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

    async def brief(
        self, agent: str, task: str | None = None, *, limit: int
    ) -> tuple[AgentMemory, Digest, SharedContext, Inbox]:
        """Return what an agent should know before a task: memory, digest, context, messages."""

        def read() -> tuple[AgentMemory, Digest, SharedContext, Inbox]:
            known = self._memory().brief(agent, task, limit=limit)
            return (*known, self._mailbox().inbox(agent, limit=FIRST_MESSAGES))

        return await run_sync(read)

    async def search_memory(
        self, query: str | None, filters: Filters, *, limit: int, cursor: str | None
    ) -> FoundMemories:
        """Return one page of the records of all agents that fit, best first."""
        return await run_sync(
            lambda: self._memory().search(query, filters, limit=limit, cursor=cursor)
        )

    async def forget_memory(
        self,
        selection: Selection,
        *,
        actor: str,
        reason: str,
        dry_run: bool,
        plan_digest: str | None,
    ) -> Forgotten:
        """Plan to forget records, or carry out the plan that has this digest.

        Raises:
            InvalidInputError: neither a dry run nor a plan was named.
            ConflictError: memory is no longer as it was planned.
        """
        if dry_run:
            plan = await run_sync(lambda: self._memory().plan_forgetting(selection))
            return Forgotten(plan=plan, is_done=False)
        if plan_digest is None:
            raise InvalidInputError(
                "Nothing was forgotten: plan_digest is missing. Call memory_forget with dry_run "
                "first, read what would go, and pass the digest of that plan."
            )
        return await run_sync(
            lambda: self._memory().forget(selection, digest=plan_digest, actor=actor, reason=reason)
        )

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
        task: Task | None = None,
        insights: Sequence[Insight] = (),
        knowledge: Sequence[Knowledge] = (),
        collaborations: Sequence[Collaboration] = (),
        used_records: Sequence[UsedRecord] = (),
        pinned: bool = False,
        expires_in_days: float | None = None,
        idempotency_key: str | None = None,
        origin: Origin = UNKNOWN,
    ) -> SavedMemory:
        """Store what was done and learnt, all or nothing."""
        return await run_sync(
            lambda: self._memory().save(
                agent,
                task=task,
                insights=insights,
                knowledge=knowledge,
                collaborations=collaborations,
                used_records=used_records,
                pinned=pinned,
                expires_in_days=expires_in_days,
                idempotency_key=idempotency_key,
                origin=origin,
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
