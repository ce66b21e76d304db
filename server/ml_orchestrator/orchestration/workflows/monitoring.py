"""The workflows of monitors: one look, and the trainings that alerts ask for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ml_orchestrator.orchestration.origins import LOOK, LOOKS_QUEUE
from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Outputs, Workflow
from ml_orchestrator.orchestration.workflows.training import (
    CHECK,
    TRAINING,
    DriftRetrainParams,
    TrainParams,
    no_drift,
)

__all__ = ["DriftRetrainOnAlertParams", "LookParams", "TrainOnAlertParams"]


class LookParams(BaseModel):
    """Which monitor; everything else is on record."""

    model_config = ConfigDict(extra="forbid")

    monitor: Annotated[str, Field(min_length=1, max_length=64)]


class _OnAlert(BaseModel):
    alert_id: Annotated[str, Field(max_length=64, description="The alert that asks for it.")]
    roll_out: Annotated[
        dict[str, Any] | None,
        Field(description="How the version is rolled out; null leaves it at @challenger."),
    ] = None
    roll_out_alias: Annotated[
        str, Field(min_length=1, max_length=64, description="Moved by the roll-out.")
    ] = "champion"


class TrainOnAlertParams(_OnAlert, TrainParams):
    """What to train, for which alert."""


class DriftRetrainOnAlertParams(_OnAlert, DriftRetrainParams):
    """What to train, for which alert, if the source no longer looks like the reference."""


def _version(outputs: Outputs) -> dict[str, Any]:
    return {"version": outputs["register"]["version"]}


_HAND_OVER = Node("hand_over", _version)

WORKFLOWS.register(LOOK)(
    Workflow(
        name=LOOK,
        description="Let a monitor look once, and do what its alerts owe.",
        params=LookParams,
        nodes=(Node("look"),),
        queue=LOOKS_QUEUE,
        is_internal=True,
    )
)
WORKFLOWS.register("train-on-alert")(
    Workflow(
        name="train-on-alert",
        description="Train because of an alert, and roll the version out behind gates.",
        params=TrainOnAlertParams,
        nodes=(*TRAINING, _HAND_OVER),
        check=CHECK,
        is_internal=True,
    )
)
WORKFLOWS.register("drift-retrain-on-alert")(
    Workflow(
        name="drift-retrain-on-alert",
        description="Because of an alert, train if the source drifted from the reference.",
        params=DriftRetrainOnAlertParams,
        nodes=(Node("drift", stops=no_drift), *TRAINING, _HAND_OVER),
        check=CHECK,
        is_internal=True,
    )
)
