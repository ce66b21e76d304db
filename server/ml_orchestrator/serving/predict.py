"""Predictions of a loaded model: rows checked on the way in, answers on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.signature import to_frame

__all__ = ["Answers", "predict"]


@dataclass(frozen=True, slots=True)
class Answers:
    """One prediction per row; probabilities by class, or None for a regression."""

    predictions: tuple[Prediction, ...]
    probabilities: tuple[dict[str, float], ...] | None


def predict(model: LoadedModel, rows: Sequence[Mapping[str, Any]]) -> Answers:
    """Return what ``model`` says about ``rows``.

    Raises:
        InvalidInputError: a row does not fit the model's columns.
        UnavailableError: the model failed, or answered with something that is not finite.
    """
    frame = to_frame(rows, model.columns)
    try:
        predictions = np.asarray(model.estimator.predict(frame))
        probabilities = _probabilities(model.estimator, frame)
    except (ValueError, TypeError, KeyError, FloatingPointError) as error:
        raise UnavailableError(
            f"The model could not answer ({type(error).__name__}: {str(error)[:200]})."
        ) from error
    _check_finite(predictions)
    return Answers(
        predictions=tuple(predictions.tolist()),
        probabilities=probabilities,
    )


def _probabilities(estimator: Any, frame: pd.DataFrame) -> tuple[dict[str, float], ...] | None:
    if not hasattr(estimator, "predict_proba"):
        return None
    values = np.asarray(estimator.predict_proba(frame), dtype=np.float64)
    _check_finite(values)
    classes = [str(label) for label in np.asarray(estimator.classes_).tolist()]
    return tuple(dict(zip(classes, row, strict=True)) for row in values.tolist())


def _check_finite(values: np.ndarray[Any, Any]) -> None:
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise UnavailableError("The model answered with a number that is not finite.")
