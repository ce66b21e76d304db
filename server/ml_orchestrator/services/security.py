"""Who may do what, and what a person approved.

Paths and data are checked where they are read (``datasets``), models where they are loaded
(``registry``, ``serving``).
"""

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from ml_orchestrator.agent_names import SHIPPED_AGENTS
from ml_orchestrator.errors import OrchestratorError, PermissionDeniedError, UnavailableError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:  # heavy: opened by the door
    from ml_orchestrator.registry.approvals import Approvals

__all__ = ["SHIPPED_AGENTS", "SecurityIntegrationService"]

_log = logging.getLogger(__name__)
REFUSED_AGAIN_S = 600.0
MOST_REFUSALS = 100
_EVERYBODY = frozenset(
    {"context_update", "lease_set", "memory_save", "message_send", "message_ack"}
)
_DEPLOYING = frozenset({"deployment_start", "deployment_decide"})
_RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ml-orchestrator": _EVERYBODY
        | {
            "baseline_save",
            "drift_report",
            "memory_forget",
            "monitor_set",
            "prompt_feedback",
            "prompt_propose",
            "prompt_select",
            "prompt_submit",
            "registry_move_alias",
            "rules_optimize",
            "training_cancel",
            "training_start",
            "workflow_run",
        }
        | _DEPLOYING,
        "data-pipeline-specialist": _EVERYBODY
        | {"baseline_save", "drift_report", "monitor_set", "workflow_run"},
        "infrastructure-specialist": _EVERYBODY | {"registry_move_alias"} | _DEPLOYING,
        "performance-engineer": _EVERYBODY | {"training_start", "training_cancel"},
    }
)


class SecurityIntegrationService:
    """Rights of agents on tools, and approvals that only a person can give.

    Reading is open to all, changing is granted by name. No tool takes a verdict as an argument:
    it comes from a terminal or from the answer to an elicitation.

    Args of the constructor:
        approvals: Opens what persons were asked to approve.
        enter: Enters an act, its actor and its subject in the audit log.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        approvals: "Callable[[], Approvals]",
        enter: Callable[[str, str, str], None],
    ) -> None:
        self._settings = settings
        self._approvals = approvals
        self._enter = enter
        self._left_open: set[str] = set()
        self._refused_at: dict[tuple[str, str], float] = {}

    def authorise(self, agent: str, tool: str) -> None:
        """Let a change pass, or say who may make it.

        Raises:
            PermissionDeniedError: this agent has no right to use ``tool``, or the server is
                in read-only mode.
        """
        name = canonical_agent(agent)
        if self._settings.mode == "read-only":
            raise PermissionDeniedError.in_read_only(tool)
        if tool not in _RIGHTS.get(name, _EVERYBODY):
            holders = ", ".join(sorted(a for a, rights in _RIGHTS.items() if tool in rights))
            raise PermissionDeniedError(
                f"Agent {name!r} may not use {tool}; {holders or 'nobody'} may. "
                "Send a message to one of them with what you need."
            )

    async def note_refusal(self, agent: str, tool: str) -> None:
        """Enter in the audit log that an agent asked for what it may not do, once in a while.

        An agent that asks again and again is entered once in ten minutes for each tool, and of
        one server not more often than a hundred times in that.
        """
        now, name = time.monotonic(), canonical_agent(agent)
        recent = {who: at for who, at in self._refused_at.items() if now - at < REFUSED_AGAIN_S}
        self._refused_at = recent
        if self._settings.mode == "read-only" or (name, tool) in recent:
            return
        if len(recent) >= MOST_REFUSALS:
            return
        recent[name, tool] = now
        try:
            await anyio.to_thread.run_sync(self._enter, "right.refused", name, f"tool:{tool}")
        except OrchestratorError:  # it is refused all the same
            _log.warning("The refusal of %s to %s could not be entered", tool, name, exc_info=True)

    async def pending_approvals(self) -> tuple[Approval, ...]:
        """Return what waits for a person, oldest first."""
        return await anyio.to_thread.run_sync(lambda: self._approvals().pending())

    async def approvals(self) -> tuple[Approval, ...]:
        """Return the last approvals in any state, newest first."""
        return await anyio.to_thread.run_sync(lambda: self._approvals().recent())

    async def asked_by_run(self, run_id: str) -> Approval | None:
        """Return what a run asks of a person now, unless that was left open; None if nothing.

        Nothing is asked where nothing can be approved: in read-only mode.
        """
        if self._settings.mode == "read-only":
            return None
        subject = f"run:{first_of(run_id)}:"
        return next(
            (
                approval
                for approval in await self.pending_approvals()
                if approval.subject.startswith(subject) and approval.id not in self._left_open
            ),
            None,
        )

    def leave_open(self, approval_id: str) -> None:
        """Ask no more for an approval from here: the person closed the question."""
        self._left_open.add(approval_id)

    async def find_approval(self, approval_id: str) -> Approval:
        """Return one approval.

        Raises:
            NotFoundError: no approval has this id.
        """
        return await anyio.to_thread.run_sync(lambda: self._approvals().find(approval_id))

    async def decide(
        self,
        approval_id: str,
        verdict: Literal["approved", "rejected"],
        *,
        decided_by: str,
        via: Literal["terminal", "elicitation"],
        reason: str | None = None,
    ) -> Approval:
        """Write down what a person decided about a plan.

        Raises:
            PermissionDeniedError: the server is in read-only mode.
            NotFoundError: no approval has this id.
            ConflictError: it is decided, used or expired already.
        """
        if self._settings.mode == "read-only":
            raise PermissionDeniedError("This server runs read-only; nothing can be approved.")
        return await anyio.to_thread.run_sync(
            lambda: self._approvals().decide(
                approval_id, verdict, decided_by=decided_by, via=via, reason=reason
            )
        )

    def describe(self) -> str:
        """Return the mode, after trying that a stranger is refused.

        Raises:
            UnavailableError: a stranger was let through.
        """
        try:
            self.authorise("stranger", "registry_move_alias")
        except PermissionDeniedError:
            return f"mode {self._settings.mode}; a stranger may not move aliases"
        raise UnavailableError("Rights are not kept: a stranger may move aliases.")
