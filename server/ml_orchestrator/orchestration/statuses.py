"""From the rows of the workflow database to the status of a run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from ml_orchestrator import errors
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.models import RunState, RunStatus, StepStatus
from ml_orchestrator.storage.engine import timestamp

__all__ = [
    "RunRow",
    "brief_status",
    "plan_of",
    "run_status",
    "time_of",
]

_STATES: dict[str, RunState] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "succeeded",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
_SHOWN_ERRORS = {StepFailedError.__name__, *errors.__all__}


class RunRow(Protocol):
    """What DBOS keeps of a workflow, as far as we look at it."""

    workflow_id: str
    input: Any
    output: Any
    error: Exception | None
    updated_at: int | None

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
    plan, state = plan_of(row), _STATES[row.status]
    steps = {info["function_name"]: info for info in recorded}
    shown = {"output": None} if state == "succeeded" else {}
    changes = [row.updated_at, *(info["completed_at_epoch_ms"] for info in recorded)]
    return RunStatus(
        run_id=row.workflow_id,
        workflow=plan["workflow"],
        state=state,
        actor=plan["actor"],
        created_at=plan["requested_at"],
        updated_at=max([plan["requested_at"], *map(time_of, filter(None, changes))]),
        steps=[step.model_copy(update=shown) for step in _steps(plan["steps"], state, steps)],
        result=row.output if state == "succeeded" else None,
        error=_error(row.error) if state == "failed" else None,
    )


def brief_status(row: RunRow, recorded: Sequence[Mapping[str, Any]]) -> RunStatus:
    """Return the status of a run without its steps and its result."""
    return run_status(row, recorded).model_copy(update={"steps": [], "result": None})


def time_of(epoch_ms: int) -> str:
    """Return a moment in milliseconds since 1970 as ISO 8601 UTC."""
    return timestamp(datetime.fromtimestamp(epoch_ms / 1000, UTC))


def _steps(
    names: Sequence[str], state: RunState, recorded: Mapping[str, Mapping[str, Any]]
) -> list[StepStatus]:
    steps = [_recorded(recorded[name]) for name in names if name in recorded]
    remaining = [name for name in names if name not in recorded]
    if state in ("running", "cancelled") and remaining:
        steps.append(StepStatus(name=remaining.pop(0), state=state))
    rest = "pending" if state in ("queued", "running") else "skipped"
    return steps + [StepStatus(name=name, state=rest) for name in remaining]


def _recorded(info: Mapping[str, Any]) -> StepStatus:
    started, ended = info["started_at_epoch_ms"], info["completed_at_epoch_ms"]
    error = info["error"]
    return StepStatus(
        name=info["function_name"],
        state="failed" if error else "succeeded",
        started_at=time_of(started) if started else None,
        seconds=(ended - started) / 1000 if started and ended else None,
        output=info["output"],
        error=_error(error) if error else None,
    )


def _error(error: Exception | None) -> str:
    if error is None:
        return "The run was taken over too often: each time its worker died. See logs/worker.log."
    if getattr(error, "name", "") in _SHOWN_ERRORS:
        return str(error)
    return "The run failed unexpectedly. See logs/worker.log of the data directory."
