"""Tell of the version that an alert had trained, and roll it out behind gates if that is asked."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.monitors.retraining import NewVersion, hand_over_version
from ml_orchestrator.orchestration.steps._base import StepContext

__all__ = ["hand_over"]


def hand_over(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the roll-out that was started, or why none was."""
    new = NewVersion(
        run_id=context.run_id,
        actor=context.actor,
        model=params["model"],
        version=inputs["version"],
        alert_id=params["alert_id"],
        roll_out=params["roll_out"],
        alias=params["roll_out_alias"],
    )
    return hand_over_version(context.settings, new)
