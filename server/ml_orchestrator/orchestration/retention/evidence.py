"""Whether a run may have registered a version, which then names the run.

A step registers first and is recorded afterwards, so one that has begun counts, whatever is on
record of it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.steps._base import STEPS

__all__ = ["may_have_registered"]

REGISTERING = frozenset({"register", "register_rules", "register_version"})  # steps
OURS = "ml_orchestrator."


def may_have_registered(
    plan: Mapping[str, Any], recorded: Sequence[tuple[str, bool]], *, has_succeeded: bool
) -> bool:
    """Return whether a step that registers, or may do so, has begun in an attempt of a run.

    Args:
        plan: what was asked for.
        recorded: the units that ended in the attempt, each with whether it did so without an error.
        has_succeeded: whether the attempt did; what is not on record was then not begun.
    """
    uses = _uses_of(plan)
    registering = {name for name, step in uses.items() if _may_register(step)}
    if not registering:
        return False
    carried = {_step_of(unit) for unit in plan.get("carried", {})}
    ended = {_step_of(unit) for unit, _ in recorded} | carried
    if registering & ended or has_succeeded:
        return bool(registering & ended)
    done = {_step_of(unit) for unit, is_done in recorded if is_done} | carried
    return any(_may_have_begun(name, plan, done) for name in registering)


def _uses_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the catalogued step of each step of a run."""
    if "pipeline" in plan:
        return {n: s["uses"] for n, s in plan["pipeline"]["spec"]["steps"].items()}
    return {name: name for name in plan["steps"]}


def _may_register(uses: str) -> bool:
    """Whether a catalogued step may register a version: of a plug-in's, any that is not pure."""
    if uses in REGISTERING or uses == APPROVAL:
        return uses in REGISTERING
    if uses not in STEPS:  # its plug-in is not loaded here, or not there any more
        return True
    step = STEPS[uses]
    is_pure = step.signature is not None and step.signature.is_pure
    return not step.target.startswith(OURS) and not is_pure


def _may_have_begun(name: str, plan: Mapping[str, Any], done: Collection[str]) -> bool:
    """Whether all that a step needs is done, or may have been left out."""
    if "pipeline" not in plan:
        steps = plan["steps"]
        return set(steps[: steps.index(name)]) <= set(done)
    needs = plan["pipeline"]["needs"]
    return all(each in done or _may_be_left_out(each, plan) for each in needs[name])


def _may_be_left_out(name: str, plan: Mapping[str, Any]) -> bool:
    step = plan["pipeline"]["spec"]["steps"][name]
    if "when" in step or "for_each" in step:
        return True
    return any(_may_be_left_out(each, plan) for each in plan["pipeline"]["needs"][name])


def _step_of(unit: str) -> str:
    """Return the step of a unit, which is named ``step[item]#attempt``."""
    return unit.partition("#")[0].partition("[")[0]
