"""What every memory store promises."""

from collections.abc import Sequence
from typing import Any, Protocol

from ml_orchestrator.memory.forget_models import Forgetting, Forgotten
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

__all__ = ["MemoryStore"]


class MemoryStore(Protocol):
    """Memory of many agents, shared by many processes.

    A call that returned is durable; a call that failed left nothing. Lists come newest
    first. Text is stored cleaned (``text.clean``) and whole. Every method may be called from
    any thread.
    """

    def load(self, agent: str, *, limit: int = 50) -> AgentMemory:
        """Return the newest ``limit`` records of each kind of ``agent``, and its collaborators."""
        ...

    def digest(self, agent: str, task: str | None = None) -> Digest:
        """Return what memory says about a task: what worked, what did not, whom to ask."""
        ...

    def brief(
        self, agent: str, task: str | None, *, limit: int
    ) -> tuple[AgentMemory, Digest, SharedContext]:
        """Return memory, digest and shared context of one moment."""
        ...

    def search(
        self,
        query: str | None,
        filters: Filters,
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> FoundMemories:
        """Return one page of the records that fit, best first; without a query, the newest.

        Raises:
            InvalidInputError: the cursor is not one of ours or not of this search, no record can
                fit, or a query that is not blank has no word.
        """
        ...

    def save(
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
        """Store all of it or nothing; an insight or fact that is known already is merged.

        ``pinned`` is about what is new; ``pin`` and ``unpin`` are ids of what is stored.
        Also removes a few records that have expired or are beyond the limit of their kind.

        Raises:
            InvalidInputError: nothing was given, a time that is none, an id to be pinned and
                unpinned, or work of an agent with itself.
            ConflictError: the key was used before for something else, or the task is stored.
        """
        ...

    def plan_forgetting(self, selection: Selection) -> Forgetting:
        """Return what forgetting would do; nothing is changed.

        Raises:
            InvalidInputError: nothing was selected.
        """
        ...

    def forget(self, selection: Selection, *, digest: str, actor: str, reason: str) -> Forgotten:
        """Forget what was planned, and nothing else.

        Raises:
            ConflictError: something else would be forgotten now than was planned.
        """
        ...

    def shared_context(self) -> SharedContext:
        """Return the context all agents share; revision 0 when nobody has written yet."""
        ...

    def put_shared_context(
        self,
        content: dict[str, Any],
        *,
        expected_revision: int,
        actor: str,
        origin: Origin = UNKNOWN,
    ) -> SharedContext:
        """Replace the shared context if its revision is still ``expected_revision``.

        Raises:
            InvalidInputError: it is too large, too deep or no JSON.
            ConflictError: somebody else has changed it; the message names the revision.
        """
        ...

    def describe(self) -> str:
        """Return how much is remembered, in one line for a health report."""
        ...
