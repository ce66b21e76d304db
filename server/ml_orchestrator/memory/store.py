"""What every memory store promises."""

from collections.abc import Sequence
from typing import Any, Protocol

from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    Insight,
    SavedMemory,
    SharedContext,
    Task,
)

__all__ = ["MemoryStore"]


class MemoryStore(Protocol):
    """Memory of many agents, shared by many processes.

    A call that returned is durable; a call that failed left nothing. Lists come newest
    first. Every method may be called from any thread.
    """

    def load(self, agent: str, *, limit: int = 50) -> AgentMemory:
        """Return the newest ``limit`` tasks and insights of ``agent`` and its collaborators."""
        ...

    def save(
        self,
        agent: str,
        *,
        task: Task | None = None,
        insights: Sequence[Insight] = (),
        collaborations: Sequence[Collaboration] = (),
        idempotency_key: str | None = None,
    ) -> SavedMemory:
        """Store all of it or nothing.

        Raises:
            InvalidInputError: nothing was given.
            ConflictError: the key was used before for something else.
        """
        ...

    def shared_context(self) -> SharedContext:
        """Return the context all agents share; revision 0 when nobody has written yet."""
        ...

    def put_shared_context(
        self, content: dict[str, Any], *, expected_revision: int, actor: str
    ) -> SharedContext:
        """Replace the shared context if its revision is still ``expected_revision``.

        Raises:
            ConflictError: somebody else has changed it; the message names the revision.
        """
        ...

    def describe(self) -> str:
        """Return how much is remembered, in one line for a health report."""
        ...
