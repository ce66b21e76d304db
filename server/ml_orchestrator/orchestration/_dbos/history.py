"""The runs of the past in the workflow database: read newest first, by attempts, and removed.

DBOS 3.4 has no retention of its own; it deletes workflows that are named to it, with all that is
recorded of them, in one transaction.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbos import WorkflowStatus

from ml_orchestrator.orchestration._dbos.database import UNFINISHED, WORKFLOW, connect, typed
from ml_orchestrator.orchestration.attempts import first_of, next_of
from ml_orchestrator.orchestration.origins import is_by_itself
from ml_orchestrator.orchestration.statuses import plan_of
from ml_orchestrator.settings import Settings

__all__ = ["History", "PastRun"]

_OPEN = [*UNFINISHED, "DELAYED"]
REGISTERING = frozenset({"register", "register_rules", "register_version"})  # steps


@dataclass(frozen=True, slots=True)
class PastRun:
    """One attempt of a run, as far as it matters for how long it is kept.

    ``ended_ms`` is when its row last changed, in ms since 1970.
    """

    run_id: str
    workflow: str
    is_over: bool
    ended_ms: int
    is_by_itself: bool
    plan: Mapping[str, Any]


class History:
    """Reads and removes runs. Not thread-safe; close it."""

    @typed
    def __init__(self, settings: Settings) -> None:
        self._client = connect(settings)

    def close(self) -> None:
        """Give connections back."""
        self._client.destroy()

    @typed
    def page(self, *, until: str, passed: int, size: int) -> list[PastRun]:
        """Return runs created until then (ISO 8601), newest first, after those passed already."""
        rows = self._client.list_workflows(
            name=WORKFLOW,
            end_time=until,
            sort_desc=True,
            offset=passed,
            limit=size,
            load_output=False,
        )
        return list(map(_past, rows))

    @typed
    def attempts(self, run_ids: Collection[str]) -> dict[str, list[PastRun]]:
        """Return all attempts of runs, by the id of the first; none for what is not on record."""
        found: dict[str, list[PastRun]] = {}
        wanted = sorted(set(run_ids))
        while wanted:
            rows = self._client.list_workflows(
                workflow_ids=wanted, name=WORKFLOW, load_output=False
            )
            for run in map(_past, rows):
                found.setdefault(first_of(run.run_id), []).append(run)
            wanted = [next_of(row.workflow_id) for row in rows]
        return found

    @typed
    def has_registered(self, run: PastRun) -> bool:
        """Whether a step of a run has registered something, which then names the run."""
        steps = _steps_of(run.plan)
        if REGISTERING.isdisjoint(steps.values()):
            return False
        recorded = self._client.list_workflow_steps(run.run_id)
        done = [info["function_name"] for info in recorded if _is_done(info)]
        return any(
            steps.get(_step_of(name)) in REGISTERING for name in (*done, *_carried(run.plan))
        )

    @typed
    def unfinished_plans(self) -> Iterator[str]:
        """Return what every unfinished run was asked for, as text."""
        rows = self._client.list_workflows(name=WORKFLOW, status=_OPEN, load_output=False)
        return (json.dumps(plan_of(row)) for row in rows)

    @typed
    def remove(self, run_ids: Sequence[str]) -> None:
        """Remove runs and all that is recorded of them, in one transaction."""
        if run_ids:
            self._client.delete_workflows(list(run_ids))


def _past(row: WorkflowStatus) -> PastRun:
    plan = plan_of(row)
    return PastRun(
        run_id=row.workflow_id,
        workflow=plan["workflow"],
        is_over=row.status not in _OPEN,
        ended_ms=max(row.updated_at or 0, row.created_at or 0),
        is_by_itself=is_by_itself(plan),
        plan=plan,
    )


def _steps_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the catalogued step of each step of a run."""
    if "pipeline" in plan:
        return {n: s["uses"] for n, s in plan["pipeline"]["spec"]["steps"].items()}
    return {name: name for name in plan["steps"]}


def _carried(plan: Mapping[str, Any]) -> Collection[str]:
    """Return what earlier attempts did, by unit."""
    carried: Mapping[str, Any] = plan.get("carried", {})
    return carried


def _is_done(info: Mapping[str, Any]) -> bool:
    output = info["output"]
    return not info["error"] and not (isinstance(output, Mapping) and "error" in output)


def _step_of(unit: str) -> str:
    """Return the step of a unit, which is named ``step[item]#attempt``."""
    return unit.partition("#")[0].partition("[")[0]
