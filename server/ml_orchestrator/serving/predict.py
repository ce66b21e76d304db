"""Predictions of a loaded model: rows checked on the way in, answers on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.serving.loader import LoadedModel, reads_other_rows
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.noting import notices_on
from ml_orchestrator.serving.output import (
    answers_of,
    check_chances,
    check_count,
    single_answers,
)
from ml_orchestrator.serving.shortcut import MAX_SHORT_ROWS
from ml_orchestrator.serving.signature import not_taken, to_frame
from ml_orchestrator.serving.table import from_columns
from ml_orchestrator.serving.unseen import unseen_notices

__all__ = ["Answers", "predict"]

Probabilities = tuple[dict[str, float], ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """One prediction per row; probabilities by class, or None for a regression.

    ``notices`` say which answers are worth less than the others.
    """

    predictions: tuple[Prediction, ...]
    probabilities: Probabilities | None
    notices: tuple[str, ...] = ()


def predict(model: LoadedModel, rows: Sequence[Mapping[str, Any]]) -> Answers:
    """Return what ``model`` says about ``rows``.

    Notices name columns that it does not take, and categories that it did not meet in training.

    Raises:
        InvalidInputError: a row does not fit the model's columns.
        UnavailableError: the model failed, or did not answer with one finite number or text of
            the kind that its signature declares, for each row.
    """
    frame = to_frame(rows, model.columns)
    try:
        asked, given = _asked(model, rows, frame)
        shares = asked.predict_proba(given) if hasattr(model.estimator, "predict_proba") else None
        # An average decides by its probabilities, and need not ask its members again.
        said = asked.decide(shares) if hasattr(asked, "decide") else asked.predict(given)
        looks_back = reads_other_rows(model.estimator)
        notices = notices_on(model.estimator, frame) if looks_back else ()
    except OrchestratorError:  # a step of ours refuses a value, such as a date
        raise
    except Exception as error:  # a model may raise anything, and the caller must hear of it
        raise UnavailableError(
            f"The model could not answer ({type(error).__name__}: {str(error)[:200]})."
        ) from error
    values = answers_of(check_count(said, len(rows)), model.answers)
    if not (answers := single_answers(values)):
        raise UnavailableError(
            "The model has several outputs; ask its server, whose /invocations returns them all."
        )
    texts = ([row[each.column] for row in rows] for each in model.categories)
    unseen = unseen_notices(model.categories, texts)
    notices = (*not_taken(rows, model.columns), *unseen, *notices)
    return Answers(answers, _probabilities(model.estimator, shares, len(rows)), notices)


def _asked(
    model: LoadedModel, rows: Sequence[Mapping[str, Any]], frame: pd.DataFrame
) -> tuple[Any, Any]:
    """Return who answers and what it is given: the short way and a table, if there is one."""
    if model.short is None or len(rows) > MAX_SHORT_ROWS:
        return model.estimator, frame
    values = {column.name: [row[column.name] for row in rows] for column in model.columns}
    return model.short, from_columns(values, model.columns)


def _probabilities(estimator: Any, said: Any, n_rows: int) -> Probabilities | None:
    """Return the probability of each class, checked to be some: 0 to 1 (to rounding)."""
    if said is None:
        return None
    classes = [str(label) for label in np.asarray(estimator.classes_).tolist()]
    values = check_chances(said, n_rows, len(classes))
    return tuple(dict(zip(classes, row, strict=True)) for row in values.tolist())
