"""How to bend probabilities and where to put the threshold, from out-of-fold answers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from ml_orchestrator.numerics.weighted import quantiles
from ml_orchestrator.training.blend import bend
from ml_orchestrator.training.metrics import METRICS, Metric, Predictions
from ml_orchestrator.training.out_of_fold import Answers, mean_score

__all__ = [
    "Bend",
    "bent",
    "best_bend",
    "best_threshold",
    "cross_decided",
    "decided",
]

N_THRESHOLDS = 60
SCALES = (0.05, 20.0)
MOST_SHIFT = 5.0
Bend = tuple[float, float]
"""The scale and the shift of ``blend.bend``."""


def best_bend(answers: Answers) -> Bend:
    """Return the scale and shift of least log loss on these rows; above two classes no shift."""
    truth = np.concatenate([fold.truth for fold in answers.folds])
    given = np.concatenate([fold.probabilities for fold in answers.folds])
    weights = _weights(answers)

    def loss(scale: float, shift: float) -> float:
        return _log_loss(truth, bend(given, scale, shift), weights)

    if given.shape[1] > 2:
        logs = np.log(SCALES)
        found = minimize_scalar(lambda x: loss(np.exp(x), 0.0), bounds=tuple(logs))
        return float(np.exp(found.x)), 0.0
    found = minimize(
        lambda x: loss(x[0], x[1]),
        x0=(1.0, 0.0),
        bounds=(SCALES, (-MOST_SHIFT, MOST_SHIFT)),
        method="L-BFGS-B",
    )
    return float(found.x[0]), float(found.x[1])


def best_threshold(answers: Answers, metric: Metric) -> float:
    """Return the probability of the second class from which predicting it scores best.

    Of the thresholds that divide the rows, by their weight, into 61 equal parts, and one half.
    """
    given = np.concatenate([fold.probabilities[:, 1] for fold in answers.folds])
    parts = quantiles(given, np.linspace(0, 1, N_THRESHOLDS + 2)[1:-1], _weights(answers))
    # The middle first: among equals it is the one taken.
    tries = [0.5, *np.unique(parts).tolist()]
    scores = [metric.sign * mean_score(decided(answers, value), metric) for value in tries]
    return float(tries[int(np.nanargmax(scores))])


def bent(answers: Answers, by: Bend) -> Answers:
    """Return the answers with bent probabilities, and the most probable class predicted."""
    folds = []
    for fold in answers.folds:
        probabilities = bend(fold.probabilities, *by)
        predicted = probabilities.argmax(axis=1)
        folds.append(replace(fold, predicted=predicted, probabilities=probabilities))
    return Answers(tuple(folds))


def decided(answers: Answers, threshold: float) -> Answers:
    """Return the answers with the second class predicted from ``threshold`` on."""
    return Answers(
        tuple(
            replace(fold, predicted=(fold.probabilities[:, 1] >= threshold).astype(np.int64))
            for fold in answers.folds
        )
    )


def cross_decided(
    answers: Answers, find: Callable[[Answers], Any], use: Callable[[Answers, Any], Answers]
) -> Answers:
    """Return answers changed, in each fold, by what was found on the other folds."""
    folds = []
    for number, fold in enumerate(answers.folds):
        folds.append(use(Answers((fold,)), find(answers.without(number))).folds[0])
    return Answers(tuple(folds))


def _weights(answers: Answers) -> NDArray[np.float64] | None:
    """Return the weights of all folds' rows, one after another; None where rows count alike."""
    known = [fold.weights for fold in answers.folds if fold.weights is not None]
    return np.concatenate(known) if known else None


def _log_loss(
    truth: NDArray[Any],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
) -> float:
    given = Predictions(truth, truth, probabilities, weights)
    return METRICS["log_loss"].compute(given)
