"""The step that a person does: approving, in a terminal or at the client, never by stored text."""

import hashlib
import json
from typing import Any

from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines.units import Unit
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import clean

__all__ = ["PipelineApprovals"]

MAX_QUESTION, MAX_EVIDENCE = 1_500, 2_000  # characters of each that are shown
SLACK_S = 1.0  # the step ends first, and says that nobody decided
_SUBJECT = "run:{run_id}:{step}"


class PipelineApprovals:
    """Asks for approvals of pipelines and looks what became of them.

    One approval belongs to one step of one attempt of one run, and to all that the person was
    shown: the question, its evidence and the whole specification are in its digest.
    """

    def __init__(self, database: Database) -> None:
        self._approvals = open_approvals(database)

    def ask(self, unit: Unit) -> Approval:
        """Return the approval of a step, asked for now unless it was.

        One that is used already is found again: its worker died before the step was recorded.
        What the person reads has no hidden characters, and says where it is cut.
        """
        evidence = json.dumps(unit.inputs.get("evidence"), ensure_ascii=False, sort_keys=True)
        asked = [unit.run_id, unit.run_attempt, unit.digest, unit.step, dict(unit.inputs)]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        question = _shown(unit.inputs["question"], MAX_QUESTION)
        shown = "" if evidence == "null" else f" Evidence: {_shown(evidence, MAX_EVIDENCE)}"
        subject = _subject(unit.run_id, unit.step)
        if used := self._approvals.used(subject=subject, digest=digest):
            return used
        return self._approvals.request(
            subject=subject,
            digest=digest,
            summary=f"Run {unit.run_id} of pipeline {unit.pipeline!r}, step {unit.name!r}: "
            f"{question}{shown}",
            requested_by=unit.actor,
            wait_s=None if unit.timeout_s is None else unit.timeout_s + SLACK_S,
        )

    def result(self, approval: Approval) -> dict[str, Any] | None:
        """Return the result of the step once a person has decided; None before."""
        found = self._approvals.find(approval.id)
        if found.state == "pending":
            return None
        if found.state == "approved":
            found = self._approvals.spend(subject=found.subject, digest=found.digest)
        if found.state == "used":  # also by a worker that died before it was recorded
            return {"output": {"approval_id": found.id, "approved_by": found.decided_by}}
        why = f": {found.reason}" if found.reason else ""
        who = f" by {found.decided_by}" if found.decided_by else ""
        return {"error": f"Approval {found.id} is {found.state}{who}{why}.", "is_final": True}

    def withdraw(self, run_id: str, step: str) -> None:
        """Ask nobody any more about a step of a run that was cancelled."""
        self._withdraw(run_id, step, because="withdrawn: the run was cancelled")

    def give_up(self, unit: Unit) -> None:
        """Ask nobody any more about a unit that waited for as long as it may."""
        said = f"step {unit.name!r}: "  # the other items of the step may wait longer
        self._withdraw(unit.run_id, unit.step, because="withdrawn: nobody decided", naming=said)

    def _withdraw(self, run_id: str, step: str, *, because: str, naming: str = "") -> None:
        self._approvals.withdraw(
            _subject(run_id, step), states=("pending",), because=because, naming=naming
        )


def _shown(text: str, most: int) -> str:
    cleaned = clean(text).text
    n_more = len(cleaned) - most
    return cleaned if n_more <= 0 else f"{cleaned[:most]} [... {n_more:,} more characters]"


def _subject(run_id: str, step: str) -> str:
    return _SUBJECT.format(run_id=run_id, step=step)
