"""How the steps of a pipeline's run are, worked out from its plan and what is recorded.

The record has units that are over and nothing else. Who is running, waiting or skipped follows
from the plan by the same rules that the run itself keeps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.models import (
    AttemptStatus,
    NodeStatus,
    RunState,
    StepState,
    StepStatus,
)
from ml_orchestrator.orchestration.moments import lasted
from ml_orchestrator.orchestration.pipelines.given import inputs_shown
from ml_orchestrator.orchestration.pipelines.settling import (
    Settled,
    items_of,
    scope_of,
    settled_without,
    together,
)
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, parse_unit, unit_name

__all__ = ["steps_of"]

MOST_FAILURES = 20
Row = Mapping[str, Any]


def steps_of(
    plan: Mapping[str, Any], run_id: str, state: RunState, recorded: Sequence[Row]
) -> list[StepStatus]:
    """Return every step of a run, in an order in which they could run one by one.

    Args:
        plan: as it was enqueued.
        run_id: of this attempt of the run.
        state: of the run.
        recorded: the rows of the units that are over.
    """
    return _Look(StoredPlan.of(plan), first_of(run_id), state, recorded).steps()


class _Look:
    """One look at one run."""

    def __init__(
        self, plan: StoredPlan, run_id: str, state: RunState, recorded: Sequence[Row]
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._state = state
        self._settled: dict[str, Settled] = {}
        self._units = {row["function_name"]: row for row in recorded}
        self._rows = _by_step(self._units)
        self._carried = _by_step(plan.carried)

    def steps(self) -> list[StepStatus]:
        return [self._step(name) for name in self._plan.order]

    def _step(self, name: str) -> StepStatus:
        if any(each not in self._settled for each in self._plan.needs[name]):
            return self._status(name, self._unsettled("pending"))
        scope = scope_of(self._plan, self._settled, self._run_id)
        if settled := settled_without(self._plan, name, self._settled, scope):
            self._settled[name] = settled
            return self._status(name, settled.state, settled)
        try:
            items = items_of(self._plan, name, scope)
        except InvalidInputError as error:
            self._settled[name] = Settled("failed", error=str(error))
            return self._status(name, "failed", self._settled[name])
        numbers: list[int | None] = [None] if items is None else [*range(len(items))]
        found = [self._item(name, number) for number in numbers]
        n_done = sum(each is not None for each in found)
        more: dict[str, Any] = {}
        if items is not None:
            more = {"n_items": len(items), "n_done": n_done}
        over = [each for each in found if each is not None]
        if len(over) == len(found) or self._state in ("running", "cancelled"):
            more["inputs"] = inputs_shown(self._plan.spec.steps[name], scope, items)
        if len(over) < len(found):
            return self._status(name, self._unsettled("running"), None, more)
        settled = over[0] if items is None else together(over)
        self._settled[name] = settled
        return self._status(name, settled.state, settled, more)

    def _unsettled(self, going_on: StepState) -> StepState:
        """Return the state of what is not over, by that of the run."""
        match self._state:
            case "queued":
                return "pending"
            case "running":
                return going_on
            case "cancelled":
                return "cancelled" if going_on == "running" else "skipped"
        return "skipped"

    def _item(self, name: str, number: int | None) -> Settled | None:
        """Return how one item ended; None if it goes on or waits."""
        if carried := self._plan.carried.get(unit_name(name, number)):
            return Settled("succeeded", carried["output"])
        last: Settled | None = None
        n_attempts = self._plan.spec.steps[name].retries.max + 1
        for attempt in range(1, n_attempts + 1):
            row = self._units.get(unit_name(name, number, attempt))
            if row is None:
                return None
            result = _result_of(row)
            if "output" in result:
                return Settled("succeeded", result["output"])
            last = Settled("failed", error=result["error"])
            if result.get("is_final"):
                break
        return last

    def _status(
        self,
        name: str,
        state: StepState,
        settled: Settled | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> StepStatus:
        times = [*self._rows.get(name, []), *self._carried.get(name, [])]
        began = min(
            (r["started_at_epoch_ms"] for r in times if r["started_at_epoch_ms"]), default=0
        )
        ended = max(
            (r["completed_at_epoch_ms"] for r in times if r["completed_at_epoch_ms"]), default=0
        )
        is_over = state in ("succeeded", "failed")
        started_at, seconds = lasted(began, ended if is_over else None)
        output = settled.output if settled and settled.state == "succeeded" else None
        return StepStatus(
            name=name,
            state=state,
            started_at=started_at,
            seconds=seconds,
            output={"items": output} if isinstance(output, list) else output,
            error=settled.error if settled and settled.state == "failed" else None,
            node=self._node(name, settled, more or {}),
        )

    def _node(self, name: str, settled: Settled | None, more: Mapping[str, Any]) -> NodeStatus:
        rows = self._rows.get(name, [])
        cached = [(r["output"] or {}).get("cached_from") for r in rows]
        failures = [failure for row in rows if (failure := _failure(row)) is not None]
        return NodeStatus(
            uses=self._plan.spec.steps[name].uses,
            needs=self._plan.needs[name],
            failures=failures[-MOST_FAILURES:],
            because=settled.because if settled else None,
            cached_from=next((run for run in cached if run), None),
            **more,
        )


def _by_step(units: Mapping[str, Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for unit, row in units.items():
        found.setdefault(parse_unit(unit)[0], []).append(row)
    return found


def _result_of(row: Row) -> Mapping[str, Any]:
    found: Mapping[str, Any] = row["output"] or {"error": "It failed unexpectedly."}
    return found


def _failure(row: Row) -> AttemptStatus | None:
    result = _result_of(row)
    if "error" not in result:
        return None
    started_at, seconds = lasted(row["started_at_epoch_ms"], row["completed_at_epoch_ms"])
    return AttemptStatus(
        unit=row["function_name"],
        started_at=started_at,
        seconds=seconds,
        error=result["error"],
    )
