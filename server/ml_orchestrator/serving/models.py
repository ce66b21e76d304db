"""What serving answers."""

from typing import Annotated

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["Prediction", "PredictionSet"]

Prediction = bool | int | float | str


class PredictionSet(Record):
    """Predictions of one model version, one per row and in the rows' order."""

    model: Annotated[str, Field(description="Name of the registered model.")]
    version: Annotated[int, Field(description="Version that answered.")]
    manifest_digest: Annotated[
        str, Field(description="SHA-256 of the manifest its bytes were checked against.")
    ]
    predictions: Annotated[
        tuple[Prediction, ...], Field(description="One predicted class or number per row.")
    ]
    probabilities: Annotated[
        tuple[dict[str, float], ...] | None,
        Field(description="Probability of each class, per row; null for a regression."),
    ]
    notices: Annotated[
        tuple[str, ...],
        Field(description="What makes answers worth less, such as rows beyond the horizon."),
    ] = ()
