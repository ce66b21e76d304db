"""Roll-outs in records that leave: a plan before, a status during and after."""

import hashlib
import json

from ml_orchestrator.program import program
from ml_orchestrator.registry.models import MovePlan
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.gates import Gate, Tally
from ml_orchestrator.serving.rollout.models import (
    GateStatus,
    RolloutEvent,
    RolloutPlan,
    RolloutSpec,
    RolloutStatus,
)
from ml_orchestrator.serving.rollout.phases import phases_of

__all__ = ["needs_of", "plan_of", "status_of"]


def plan_of(
    target: MovePlan | Rollout, spec: RolloutSpec, *, obstacles: tuple[str, ...]
) -> RolloutPlan:
    """Return a plan; its digest covers all that would be done."""
    version = target.version if isinstance(target, Rollout) else target.to_version
    assert version is not None  # a roll-out never removes an alias
    phases = phases_of(spec, has_old=target.from_version is not None)
    what = [target.model, target.alias, target.from_version, version]
    text = json.dumps([*what, spec.model_dump(mode="json")], sort_keys=True)
    return RolloutPlan(
        model=target.model,
        alias=target.alias,
        from_version=target.from_version,
        to_version=version,
        spec=spec,
        phases=tuple(phase.describe() for phase in phases),
        obstacles=obstacles,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def status_of(
    rollout: Rollout, events: tuple[RolloutEvent, ...], *, is_decided: bool
) -> RolloutStatus:
    """Return where a roll-out is; it needs nothing while a decision waits for the worker."""
    progress, phases = rollout.progress, rollout.phases
    is_watched = rollout.state in ("green_ready", "canary", "shadow", "baking", "paused")
    return RolloutStatus(
        rollout_id=rollout.id,
        model=rollout.model,
        version=rollout.version,
        from_version=rollout.from_version,
        alias=rollout.alias,
        strategy=rollout.spec.strategy,
        state=rollout.state,
        phase=rollout.phase.describe() if is_watched else None,
        fraction=1.0 if rollout.is_over else progress.phase / len(phases),
        reason=progress.reason,
        needs=None if is_decided else needs_of(rollout),
        gates=tuple(_gate(gate, progress.tallies) for gate in rollout.phase.gates)
        if is_watched
        else (),
        events=events,
        rollback_ms=progress.rollback_ms,
        actor=rollout.actor,
        created_at=rollout.created_at,
        updated_at=rollout.updated_at,
    )


def _gate(gate: Gate, tallies: dict[str, Tally]) -> GateStatus:
    tally = tallies.get(gate.metric, Tally())
    return GateStatus(
        metric=gate.metric,
        verdict=tally.verdict(gate),
        n_measured=tally.n,
        last_value=tally.last_value,
        last_detail=tally.last_detail,
    )


def needs_of(rollout: Rollout) -> str | None:
    """Return what a person or an agent must do now, if anything.

    Nothing, until a pause for a person has an approval to be named: a moment, or as long as the
    registry cannot be reached.
    """
    if rollout.state != "paused":
        return None
    if rollout.progress.paused_for == "approval":
        name = rollout.progress.approval_id
        return f"A person: {program()} approve {name}" if name else None
    if rollout.progress.paused_for == "gate":
        return (
            "deployment_decide: resume measures anew, abort goes back, promote needs a person's "
            "approval"
        )
    return "deployment_decide: resume or abort"
