"""Memory and messages: how agents remember and reach one another."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ml_orchestrator.errors import InvalidInputError, OrchestratorError
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
from ml_orchestrator.messaging.models import (
    Acknowledged,
    DeadLetters,
    Inbox,
    Lease,
    Leases,
    Message,
    Priority,
    SentMessage,
    Thread,
    Unread,
)
from ml_orchestrator.orchestration.events.kinds import MessageSent
from ml_orchestrator.services.hands import Hands
from ml_orchestrator.services.unread_note import UnreadNote
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:  # opened by its door
    from ml_orchestrator.messaging.leases import LeaseBook
    from ml_orchestrator.orchestration.events.thread import BusThread

__all__ = ["CollaborationService"]

LOOK_S = 5.0  # besides hearing of it: an older release publishes nothing
DEAF_S = 0.25  # between looks where the bus cannot be opened, or has stopped
TELL_S = 5.0
OnWait = Callable[[float], Awaitable[None]]
T = TypeVar("T")


@traced
class CollaborationService:
    """Owns what agents know and tell; everything it returns is data, never instructions."""

    def __init__(
        self,
        memory: Callable[[], MemoryStore],
        mailbox: Callable[[], Mailbox],
        leases: "Callable[[], LeaseBook]",
        bus: "Callable[[], BusThread]",
    ) -> None:
        self._memory = memory
        self._mailbox = mailbox
        self._leases = leases
        self._bus = bus
        self._hands = Hands()

    async def load_memory(self, agent: str, *, limit: int) -> AgentMemory:
        """Return the newest of what ``agent`` remembers."""
        return await self._hands.do(lambda: self._memory().load(agent, limit=limit))

    async def brief(
        self, agent: str, task: str | None = None, *, limit: int
    ) -> tuple[AgentMemory, Digest, SharedContext]:
        """Return what an agent should know before a task: memory, digest and shared context."""
        return await self._act(agent, lambda: self._memory().brief(agent, task, limit=limit))

    async def search_memory(
        self, query: str | None, filters: Filters, *, limit: int, cursor: str | None
    ) -> FoundMemories:
        """Return one page of the records of all agents that fit, best first."""
        return await self._hands.do(
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
            plan = await self._hands.do(lambda: self._memory().plan_forgetting(selection))
            return Forgotten(plan=plan, is_done=False)
        if plan_digest is None:
            raise InvalidInputError(
                "Nothing was forgotten: plan_digest is missing. Call memory_forget with dry_run "
                "first, read what would go, and pass the digest of that plan."
            )
        return await self._hands.do(
            lambda: self._memory().forget(selection, digest=plan_digest, actor=actor, reason=reason)
        )

    async def update_context(
        self,
        content: dict[str, Any],
        *,
        expected_revision: int,
        actor: str,
        origin: Origin = UNKNOWN,
    ) -> SharedContext:
        """Replace what all agents share, if nobody has changed it meanwhile."""
        return await self._hands.do(
            lambda: self._memory().put_shared_context(
                content, expected_revision=expected_revision, actor=actor, origin=origin
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
        pin: Sequence[str] = (),
        unpin: Sequence[str] = (),
        pinned: bool = False,
        expires_in_days: float | None = None,
        idempotency_key: str | None = None,
        origin: Origin = UNKNOWN,
    ) -> SavedMemory:
        """Store what was done and learnt, all or nothing."""
        return await self._act(
            agent,
            lambda: self._memory().save(
                agent,
                task=task,
                insights=insights,
                knowledge=knowledge,
                collaborations=collaborations,
                used_records=used_records,
                pin=pin,
                unpin=unpin,
                pinned=pinned,
                expires_in_days=expires_in_days,
                idempotency_key=idempotency_key,
                origin=origin,
            ),
        )

    async def send(
        self,
        agent: str,
        *,
        message_type: str,
        content: str,
        target_agents: Sequence[str],
        priority: Priority | None,
        metadata: Mapping[str, Any],
        reply_to: str | None,
        ack_wanted: bool,
        expires_in_s: float | None,
        idempotency_key: str | None,
    ) -> SentMessage:
        """Send a message to named agents, or to everybody when none is named."""
        return await self._act(
            agent,
            lambda: self._mailbox().send(
                agent,
                message_type=message_type,
                content=content,
                target_agents=target_agents,
                priority=priority,
                metadata=metadata,
                reply_to=reply_to,
                ack_wanted=ack_wanted,
                expires_in_s=expires_in_s,
                idempotency_key=idempotency_key,
            ),
        )

    async def inbox(
        self,
        agent: str,
        *,
        limit: int,
        cursor: str | None = None,
        with_acknowledged: bool = False,
        query: str | None = None,
        wait_s: float = 0.0,
        on_wait: OnWait | None = None,
    ) -> Inbox:
        """Return one page of an agent's messages, with ``wait_s`` once there is an unread one.

        With ``query``, too, this waits for an unread one that holds it.

        Args:
            on_wait: told every few seconds how long this has been waiting, in s.
        """
        if wait_s > 0:
            await self._wait_for_unread(agent, query, wait_s, on_wait)
        return await self._hands.do(
            lambda: self._mailbox().inbox(
                agent,
                limit=limit,
                cursor=cursor,
                with_acknowledged=with_acknowledged,
                query=query,
            )
        )

    async def unread(self, agent: str) -> Unread:
        """Count what waits for an agent."""
        return await self._hands.do(lambda: self._mailbox().unread(agent))

    async def mark(self) -> int:
        """Return a mark between the messages stored so far and those to come."""
        return await self._hands.do(lambda: self._mailbox().mark())

    async def work_after(self, agent: str, mark: int) -> list[Message]:
        """Return unread work handed to an agent, or back to it, after a mark."""
        return await self._hands.do(lambda: self._mailbox().work_after(agent, mark))

    async def count_work_after(self, agent: str, mark: int) -> int:
        """Count unread work handed to an agent, or back to it, after a mark."""
        return await self._hands.do(lambda: self._mailbox().count_work_after(agent, mark))

    async def thread(self, thread_id: str) -> Thread:
        """Return a thread in order, with who has acknowledged what."""
        return await self._hands.do(lambda: self._mailbox().thread(thread_id))

    async def dead_letters(self, agent: str) -> DeadLetters:
        """Return what an agent sent and nobody got."""
        return await self._hands.do(lambda: self._mailbox().dead_letters(agent))

    async def set_lease(self, agent: str, resource: str, *, ttl_s: float, note: str) -> Lease:
        """Take, renew or give back an advisory lease.

        Raises:
            ConflictError: another agent holds what this overlaps.
        """
        return await self._hands.do(
            lambda: self._leases().set(agent, resource, ttl_s=ttl_s, note=note)
        )

    async def leases(self) -> Leases:
        """Return every live lease."""
        return await self._hands.do(lambda: self._leases().live())

    async def _has_unread(self, agent: str, query: str | None) -> bool:
        if not query:
            return (await self.unread(agent)).n_unread > 0
        found = await self._hands.do(lambda: self._mailbox().inbox(agent, limit=1, query=query))
        return bool(found.messages)

    async def _wait_for_unread(
        self, agent: str, query: str | None, wait_s: float, on_wait: OnWait | None
    ) -> None:
        """Wait for an event that a message was sent, and look then, until something is unread."""
        began_at, told = anyio.current_time(), 0.0
        async with self._hearing() as hear:
            while not await self._has_unread(agent, query):
                waited_s = anyio.current_time() - began_at
                if waited_s >= wait_s:
                    return
                if on_wait is not None and waited_s - told >= TELL_S:
                    told = waited_s
                    await on_wait(waited_s)
                await hear(min(LOOK_S, wait_s - waited_s))

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """Give what waits so many seconds, or until a message was sent by any process."""
        opened = None
        with suppress(OrchestratorError):  # what it says of itself, health says
            opened = await self._hands.do(self._bus)
        if opened is None or not opened.is_running:
            yield lambda at_most_s: anyio.sleep(min(at_most_s, DEAF_S))
            return
        async with opened.bus.tap(MessageSent) as tap:

            async def hear(at_most_s: float) -> None:
                with anyio.move_on_after(at_most_s):
                    await tap.receive()

            yield hear

    async def acknowledge(self, agent: str, message_ids: Sequence[str]) -> Acknowledged:
        """Mark messages as dealt with."""
        return await self._act(agent, lambda: self._mailbox().acknowledge(agent, message_ids))

    async def _act(self, agent: str, act: Callable[[], T]) -> T:
        """Do something for ``agent`` in a thread, and count there what waits for it, if asked."""
        note = UnreadNote.of_this_call()

        def work() -> T:
            result = act()
            if note is not None and note.agent == agent and note.unread is None:
                with suppress(OrchestratorError):  # whoever asked counts again, and says so
                    note.unread = self._mailbox().unread(agent)
            return result

        return await self._hands.do(work)
