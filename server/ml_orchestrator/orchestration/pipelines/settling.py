"""What becomes of a step once those it needs are over: for the run, and for who looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.conditions import parse_condition
from ml_orchestrator.orchestration.pipelines.references import Scope, resolved
from ml_orchestrator.orchestration.pipelines.sizing import check_size
from ml_orchestrator.orchestration.pipelines.units import StoredPlan

__all__ = ["Settled", "items_of", "result_of", "scope_of", "settled_without", "together"]

State = Literal["succeeded", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Settled:
    """How a step ended. ``because`` says why it was skipped, ``error`` why it failed."""

    state: State
    output: Any = None
    error: str | None = None
    because: str | None = None


def scope_of(plan: StoredPlan, settled: Mapping[str, Settled], run_id: str) -> Scope:
    """Return what references stand for, given the steps that are over."""
    return Scope(plan.params, {name: each.output for name, each in settled.items()}, run_id)


def settled_without(
    plan: StoredPlan, name: str, settled: Mapping[str, Settled], scope: Scope
) -> Settled | None:
    """Return how a step ends without being run, once all it needs is in ``settled``; else None.

    It is not run if something it needs failed, or was skipped for that; if all that it needs was
    skipped; or if its condition does not hold.
    """
    needs = {each: settled[each] for each in plan.needs[name]}
    if lost := [each for each, found in needs.items() if _is_lost(found)]:
        return _skipped(f"{', '.join(lost)} did not succeed", is_lost=True)
    if needs and all(found.state == "skipped" for found in needs.values()):
        return _skipped(f"{', '.join(needs)} was skipped")
    condition = plan.spec.steps[name].when
    try:
        if condition is not None and not parse_condition(condition).holds(scope):
            return _skipped(f"its condition does not hold: {condition}")
    except InvalidInputError as error:
        return Settled("failed", error=f"Its condition cannot be decided: {error}")
    return None


def items_of(plan: StoredPlan, name: str, scope: Scope) -> list[Any] | None:
    """Return the list that a step is run for; None if it is run once.

    Raises:
        InvalidInputError: it is no list, or too long.
    """
    wanted = plan.spec.steps[name].for_each
    if wanted is None:
        return None
    items = resolved(wanted, scope)
    if not isinstance(items, list):
        raise InvalidInputError(f"for_each wants a list; {wanted} gave {str(items)[:80]!r}.")
    if len(items) > plan.max_items:
        raise InvalidInputError(f"for_each has {len(items)} entries; at most {plan.max_items}.")
    return items


def result_of(plan: StoredPlan, scope: Scope) -> dict[str, Any]:
    """Return the result of a run that succeeded: the declared outputs, or those of the last steps.

    Raises:
        InvalidInputError: a declared output is not there, or all are too large to record.
    """
    if plan.spec.outputs is not None:
        found: dict[str, Any] = resolved(plan.spec.outputs, scope)
    else:
        needed = {name for needs in plan.needs.values() for name in needs}
        found = {name: scope.outputs[name] for name in plan.order if name not in needed}
    check_size(found, "The result")
    return found


def together(items: list[Settled]) -> Settled:
    """Return how a step for several items ended: with a list, or with each fault."""
    faults = [
        f"item {number}: {found.error}"
        for number, found in enumerate(items)
        if found.state == "failed"
    ]
    if faults:
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        return Settled(
            "failed", error=f"{len(faults)} of {len(items)} items: {'; '.join(faults[:5])}{more}"
        )
    return Settled("succeeded", [found.output for found in items])


def _is_lost(found: Settled) -> bool:
    return found.state == "failed" or (found.state == "skipped" and found.error is not None)


def _skipped(because: str, *, is_lost: bool = False) -> Settled:
    return Settled("skipped", because=because, error=because if is_lost else None)
