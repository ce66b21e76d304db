"""Point an alias at the version that was just registered."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.registry.moves import MoveRequest

__all__ = ["promote"]


def promote(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Move the alias by compare-and-set, its rules and integrity checks included.

    Returns the alias and the version it pointed to before; an alias of None moves nothing.
    """
    model, alias, version = params["model"], params["alias"], inputs["version"]
    if alias is None:
        return {"alias": None, "previous_version": None}
    with registry_for_a_step(context.settings) as desk:
        current = desk.store.alias_version(model, alias)
        if current == version:  # moved by an attempt that was killed before it was recorded
            last = desk.mover.history(model, alias, limit=1).moves[0]
            return {"alias": alias, "previous_version": last.from_version}
        moved = desk.mover.move(
            MoveRequest(
                model=model,
                alias=alias,
                version=version,
                expected_version=current,
                actor=context.actor,
                reason=inputs.get("reason", f"Trained by run {context.run_id}."),
                idempotency_key=f"{context.effect_id}-promote",
            )
        )
    return {"alias": alias, "previous_version": moved.previous_version}
