"""Asking a person to approve the switch of a roll-out."""

import hashlib
from typing import TYPE_CHECKING

from ml_orchestrator.orchestration.rollouts.aliases import forward_request
from ml_orchestrator.orchestration.rollouts.ports import Answer
from ml_orchestrator.registry.approvals import UnusedState
from ml_orchestrator.registry.journal import move_subject
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.models import RolloutState

if TYPE_CHECKING:  # heavy: opened by the doors
    from ml_orchestrator.registry.desk import RegistryDesk

__all__ = ["RolloutApprovals", "subject_of"]


class RolloutApprovals:
    """An ``ApprovalPort`` on the approvals that only a person can decide.

    Where the alias's policy wants its move approved, that is the approval asked for: it is used
    up by the move.
    """

    def __init__(self, desk: "RegistryDesk") -> None:
        self._desk = desk

    def ask(self, rollout: Rollout) -> str:
        """Return the id of the request, made once while it is pending."""
        found = self._desk.mover.ask_approval(forward_request(rollout))
        return (found or self._ask_for_the_switch(rollout)).id

    def answer(self, approval_id: str) -> Answer:
        """Return what became of it; one that expired counts as denied."""
        found = self._desk.approvals.find(approval_id)
        if found.state == "pending":
            return Answer("pending")
        is_granted = found.state in {"approved", "used"}
        return Answer("granted" if is_granted else "denied", found.decided_by)

    def withdraw(self, rollout: Rollout, ending: RolloutState) -> None:
        """Let what it asked for expire: of one that went back also what was approved, not used.

        An approval of the alias's move is found by the reason given for it, so that one that
        somebody else asked for stays, and one asked for right before a crash does not.
        """
        approvals = self._desk.approvals
        unused: tuple[UnusedState, ...] = ("pending", "approved")
        states = unused[:1] if ending == "promoted" else unused
        because = f"withdrawn: roll-out {rollout.id} was {ending.replace('_', ' ')}"
        approvals.withdraw(subject_of(rollout.id), states=states, because=because)
        approvals.withdraw(
            move_subject(rollout.model, rollout.alias),
            states=states,
            because=because,
            naming=forward_request(rollout).reason,
        )

    def _ask_for_the_switch(self, rollout: Rollout) -> Approval:
        old = "nothing" if rollout.from_version is None else f"version {rollout.from_version}"
        plan = (
            f"Roll-out {rollout.id}: let version {rollout.version} of {rollout.model!r} answer "
            f"instead of {old}, and point @{rollout.alias} at it."
        )
        return self._desk.approvals.request(
            subject=subject_of(rollout.id),
            digest=hashlib.sha256(plan.encode()).hexdigest(),
            summary=plan,
            requested_by=rollout.actor,
        )


def subject_of(rollout_id: str) -> str:
    """Return what approvals of a roll-out are about."""
    return f"rollout:{rollout_id}"
