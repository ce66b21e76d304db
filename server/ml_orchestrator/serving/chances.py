"""How likely each class is, asked of a version after it answered, for the serving log.

An answer to ``/invocations`` holds predictions only, as MLflow's does. Whoever keeps a log asks the
same rows again, one request at a time, so that an answer waits for one such question at most.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.engine import Outcome
from ml_orchestrator.serving.output import check_chances
from ml_orchestrator.serving.refusals import refusal

__all__ = ["NONE_TOLD", "Chances", "chances_outcome", "read_chances"]

MOST_CLASSES = 100
MOST_LETTERS = 200  # of a class
NONE_TOLD = 404  # status of a model that gives no probabilities
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chances:
    """Classes as text, and the probability of each, shape ``(n_rows, n_classes)``."""

    classes: tuple[str, ...]
    values: NDArray[np.float64]


def chances_outcome(estimator: Any, frame: pd.DataFrame) -> Outcome:
    """Return what a model says of the classes of these rows, as JSON.

    404 if it says nothing, has more than 100 classes, or they are no plain labels; 500 if it fails.
    """
    if not hasattr(estimator, "predict_proba"):
        return refusal(NONE_TOLD, "The model gives no probabilities.")
    try:
        labels = np.asarray(estimator.classes_).tolist()
        classes = [_label(label) for label in labels]
        if len(classes) > MOST_CLASSES or max(map(len, classes)) > MOST_LETTERS:
            return refusal(NONE_TOLD, f"More than {MOST_CLASSES} classes, or too long ones.")
        values = check_chances(estimator.predict_proba(frame), len(frame), len(classes))
    except UnavailableError as error:
        return refusal(500, str(error))
    except Exception as error:  # noqa: BLE001 a model may raise anything, and its server must go on
        _log.warning("The model gives no probabilities: %r", error)
        return refusal(500, f"The model gives no probabilities ({type(error).__name__}).")
    content = {"classes": classes, "probabilities": values.tolist()}
    return Outcome(status=200, body=json.dumps(content).encode(), n_rows=len(frame))


def read_chances(outcome: Outcome) -> Chances | None:
    """Return the probabilities of an outcome; None if there are none.

    A process that holds a model is not trusted: what does not fit together is none.
    """
    if outcome.status != 200:
        return None
    try:
        content = json.loads(outcome.body)
        classes = tuple(content["classes"])
        values = check_chances(content["probabilities"], outcome.n_rows, len(classes))
    except (ValueError, KeyError, TypeError, RecursionError, UnavailableError):
        return None
    are_names = all(isinstance(name, str) and len(name) <= MOST_LETTERS for name in classes)
    is_whole = are_names and 0 < len(set(classes)) == len(classes) <= MOST_CLASSES
    return Chances(classes, values) if is_whole else None


def _label(label: Any) -> str:
    """Return a class as text: whole numbers without a point, false and true as 0 and 1."""
    if isinstance(label, bool) or (isinstance(label, float) and label.is_integer()):
        return str(int(label))
    return str(label)
