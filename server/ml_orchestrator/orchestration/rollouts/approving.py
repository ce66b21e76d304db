"""Asking a person to approve the switch of a roll-out."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime

from ml_orchestrator.orchestration.rollouts.ports import Answer
from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.storage.engine import Database

__all__ = ["RolloutApprovals"]


class RolloutApprovals:
    """An ``ApprovalPort`` on the approvals that only a person can decide."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._approvals = Approvals(database, new_id=lambda: uuid.uuid4().hex, now=now)

    def ask(self, rollout: Rollout) -> str:
        """Return the id of the request, made once while it is pending."""
        return self._approvals.request(
            subject=f"rollout:{rollout.id}",
            digest=hashlib.sha256(_plan_of(rollout).encode()).hexdigest(),
            summary=_plan_of(rollout),
            requested_by=rollout.actor,
        ).id

    def answer(self, approval_id: str) -> Answer:
        """Return what became of it; one that expired counts as denied."""
        found = self._approvals.find(approval_id)
        if found.state == "pending":
            return Answer("pending")
        is_granted = found.state in {"approved", "used"}
        return Answer("granted" if is_granted else "denied", found.decided_by)


def _plan_of(rollout: Rollout) -> str:
    old = "none" if rollout.from_version is None else f"version {rollout.from_version}"
    return (
        f"Roll-out {rollout.id}: let version {rollout.version} of {rollout.model!r} answer instead "
        f"of {old}, and point @{rollout.alias} at it."
    )
