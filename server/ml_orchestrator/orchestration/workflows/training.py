"""The workflows that train: at once, or only if the data drifted."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Outputs, Workflow
from ml_orchestrator.registry.names import check_model
from ml_orchestrator.training.models import TrainingSpec

__all__ = ["CHECK", "TRAINING", "DriftRetrainParams", "TrainParams", "no_drift"]


class TrainParams(TrainingSpec):
    """What to train, and the name and alias to register it under."""

    model: Annotated[
        str, AfterValidator(check_model), Field(description="Name of the registered model.")
    ]
    alias: Annotated[
        Literal["challenger"] | None,
        Field(description="challenger points it at the new version; null leaves aliases alone."),
    ] = "challenger"


class DriftRetrainParams(TrainParams):
    """What to train if the source no longer looks like the reference."""

    reference: Annotated[
        str, Field(min_length=1, description="Data set that the source is compared with.")
    ]
    alpha: Annotated[
        float, Field(gt=0, lt=1, description="Limit of the adjusted p values of the columns.")
    ] = 0.05
    share_threshold: Annotated[
        float,
        Field(gt=0, le=1, description="Share of drifted columns from which to train again."),
    ] = 0.5


def _version(outputs: Outputs) -> dict[str, Any]:
    return {"version": outputs["register"]["version"]}


def no_drift(outputs: Outputs) -> str | None:
    """Return why a run ends after the comparison; None if the data drifted."""
    drift = outputs["drift"]["drift"]
    return None if drift["is_drifted"] else f"No training was needed. {drift['summary']}"


CHECK = "ml_orchestrator.orchestration.checks:check_training"
TRAINING = (Node("search"), Node("register"), Node("promote", _version))

WORKFLOWS.register("train")(
    Workflow(
        name="train",
        description="Search for a model, register the best with its manifest, set its alias.",
        params=TrainParams,
        nodes=TRAINING,
        check=CHECK,
    )
)
WORKFLOWS.register("drift-retrain")(
    Workflow(
        name="drift-retrain",
        description="Compare the source with a reference and train on it only if it drifted.",
        params=DriftRetrainParams,
        nodes=(Node("drift", stops=no_drift), *TRAINING),
        check=CHECK,
    )
)
