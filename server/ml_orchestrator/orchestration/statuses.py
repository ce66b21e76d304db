"""From the rows of the workflow database to the status of a run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ml_orchestrator import errors
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.models import (
    UNFINISHED,
    PipelineStatus,
    RunState,
    RunStatus,
    StepStatus,
)
from ml_orchestrator.orchestration.moments import lasted, time_of
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.orchestration.versions import foreign_version

__all__ = [
    "GIVEN_UP",
    "STATES",
    "RunRow",
    "brief_status",
    "carried_over",
    "plan_of",
    "run_status",
]

STATES: dict[str, RunState] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "succeeded",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
GIVEN_UP = (
    "The run was taken over too often: each time its worker died. See logs/worker.log; once that "
    "is mended, resume it."
)
# Looked at where there is one: what reads its plan is not needed for the built-in workflows.
_PIPELINES = "ml_orchestrator.orchestration.pipelines.looking:steps_of"
# What SQLite and Postgres say; the rest of their message holds what was to be recorded.
_REFUSED = re.compile(
    r"database or disk is full|disk I/O error|database is locked|readonly database|No space left"
)
_SHOWN_ERRORS = {StepFailedError.__name__, *errors.__all__}


class RunRow(Protocol):
    """What DBOS keeps of a workflow, as far as we look at it."""

    workflow_id: str
    input: Any
    output: Any
    error: Exception | None
    updated_at: int | None
    app_version: str | None

    @property
    def status(self) -> str:
        """One of DBOS's states."""
        ...


def plan_of(row: RunRow) -> dict[str, Any]:
    """Return what was enqueued: workflow, parameters, actor, steps, time."""
    plan: dict[str, Any] = row.input["args"][0]
    return plan


def run_status(row: RunRow, recorded: Sequence[Mapping[str, Any]]) -> RunStatus:
    """Return the status of a run from its row and those of its finished steps."""
    plan, state = plan_of(row), STATES[row.status]
    shown = {"output": None} if state == "succeeded" and "pipeline" not in plan else {}
    steps = [step.model_copy(update=shown) for step in _all_steps(row, plan, state, recorded)]
    return brief_status(row, recorded).model_copy(
        update={"steps": steps, "result": row.output if state == "succeeded" else None}
    )


def carried_over(
    plan: Mapping[str, Any], recorded: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what the next attempt of a pipeline's run need not do again, by unit."""
    done = {
        info["function_name"].partition("#")[0]: {
            "output": info["output"]["output"],
            "started_at_epoch_ms": info["started_at_epoch_ms"],
            "completed_at_epoch_ms": info["completed_at_epoch_ms"],
        }
        for info in recorded
        if isinstance(info["output"], Mapping) and "output" in info["output"]
    }
    return {**plan.get("carried", {}), **done}


def brief_status(row: RunRow, recorded: Sequence[Mapping[str, Any]]) -> RunStatus:
    """Return the status of a run without its steps and its result."""
    plan, state = plan_of(row), STATES[row.status]
    changes = [row.updated_at, *(info["completed_at_epoch_ms"] for info in recorded)]
    error = _error(row.error) if state == "failed" else None
    if state not in ("failed", "succeeded"):
        error = foreign_version(row.app_version)
    pipeline = plan.get("pipeline")
    return RunStatus(
        run_id=row.workflow_id,
        workflow=plan["workflow"],
        state=state,
        actor=plan["actor"],
        created_at=plan["requested_at"],
        updated_at=max([plan["requested_at"], *map(time_of, filter(None, changes))]),
        steps=[],
        error=error,
        pipeline=None
        if pipeline is None
        else PipelineStatus(digest=pipeline["digest"], warnings=pipeline["warnings"]),
    )


def _all_steps(
    row: RunRow, plan: Mapping[str, Any], state: RunState, recorded: Sequence[Mapping[str, Any]]
) -> list[StepStatus]:
    if "pipeline" in plan:
        found: list[StepStatus] = resolve(_PIPELINES)(plan, row.workflow_id, state, recorded)
        return found
    return _steps(plan["steps"], state, {info["function_name"]: info for info in recorded})


def _steps(
    names: Sequence[str], state: RunState, recorded: Mapping[str, Mapping[str, Any]]
) -> list[StepStatus]:
    steps = [_recorded(recorded[name]) for name in names if name in recorded]
    remaining = [name for name in names if name not in recorded]
    if state in ("running", "cancelled") and remaining:
        steps.append(StepStatus(name=remaining.pop(0), state=state))
    rest = "pending" if state in UNFINISHED else "skipped"
    return steps + [StepStatus(name=name, state=rest) for name in remaining]


def _recorded(info: Mapping[str, Any]) -> StepStatus:
    started_at, seconds = lasted(info["started_at_epoch_ms"], info["completed_at_epoch_ms"])
    error = info["error"]
    return StepStatus(
        name=info["function_name"],
        state="failed" if error else "succeeded",
        started_at=started_at,
        seconds=seconds,
        output=info["output"],
        error=_error(error) if error else None,
    )


def _error(error: Exception | None) -> str:
    if error is None:
        return GIVEN_UP
    if getattr(error, "name", "") in _SHOWN_ERRORS:
        return str(error)
    if refused := _REFUSED.search(str(error)):
        return (
            f"What the run did could not be recorded: {refused[0]}. Make room, or see to the "
            "database, then resume it; the step that it was at is run again."
        )
    return "The run failed unexpectedly. See logs/worker.log of the data directory."
