"""What predictions are worth, on NumPy arrays.

Written out rather than taken from scikit-learn because an interval needs each of them some
hundred times; the tests hold them equal to scikit-learn's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics import class_scores, weighted
from ml_orchestrator.training.models import Task

__all__ = [
    "METRICS",
    "PINBALL",
    "Metric",
    "Predictions",
    "pick_metric",
    "pinball_loss",
    "standard_metrics",
]

TINY = 1e-15
PINBALL = "pinball_loss"


@dataclass(frozen=True, slots=True)
class Predictions:
    """The truth beside what was predicted, all of shape ``(n_rows,)``.

    For classes both are codes from 0, and ``probabilities`` has shape ``(n_rows, n_classes)``;
    for regression both are values and ``probabilities`` has no columns. ``weights`` say how much
    each row counts in every metric; without them rows count alike.
    """

    truth: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.int64]) -> "Predictions":
        """Return the given rows, repeats allowed."""
        return replace(
            self,
            truth=self.truth[rows],
            predicted=self.predicted[rows],
            probabilities=self.probabilities[rows],
            weights=None if self.weights is None else self.weights[rows],
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """A named measure; ``compute`` gives NaN where the rows do not define it.

    ``is_of_decisions``: it looks at predicted classes, which depend on a threshold.
    """

    name: str
    task: Task
    higher_is_better: bool
    compute: Callable[[Predictions], float]
    for_two_classes: bool = False
    is_of_decisions: bool = False

    @property
    def sign(self) -> float:
        """1 where higher is better, else -1: a value times it is better the higher it is."""
        return 1.0 if self.higher_is_better else -1.0


METRICS: Catalog[Metric] = Catalog("metric")

_Measure = Callable[[Predictions], float]


def _file(
    name: str, task: Task, *, higher: bool, two: bool = False, decides: bool = False
) -> Callable[[_Measure], _Measure]:
    def register(compute: _Measure) -> _Measure:
        METRICS.register(name)(Metric(name, task, higher, compute, two, decides))
        return compute

    return register


def pick_metric(name: str, task: Task, n_classes: int) -> Metric:
    """Return the metric called ``name``.

    Raises:
        InvalidInputError: it is unknown or not for this task; the message lists those that are.
    """
    fitting = [
        key
        for key, metric in METRICS.items()
        if metric.task == task and (n_classes == 2 or not metric.for_two_classes)
    ]
    if name not in fitting:
        about = f"{task} with {n_classes} classes" if task == "classification" else task
        raise InvalidInputError(f"No metric {name!r} for {about}; known: {', '.join(fitting)}.")
    return METRICS[name]


def pinball_loss(quantile: float) -> Metric:
    """Return the measure that the quantile itself makes least, in the target's unit.

    A prediction that is too low costs ``quantile`` of what lacks, one too high the rest of it
    (R. Koenker, G. Bassett, 1978).
    """

    def compute(given: Predictions) -> float:
        lacks = given.truth - given.predicted
        costs = np.maximum(quantile * lacks, (quantile - 1) * lacks)
        return weighted.mean(costs, given.weights)

    return Metric(PINBALL, "regression", False, compute)


def standard_metrics(metric: Metric) -> list[Metric]:
    """Return the metric and those that are usually quoted beside it."""
    usual = {
        "classification": ("accuracy", "f1_macro", "roc_auc"),
        "regression": ("r2", "rmse", "mae"),
    }
    return [metric, *(METRICS[name] for name in usual[metric.task] if name != metric.name)]


def _confusion(given: Predictions) -> NDArray[np.float64]:
    n_classes = given.probabilities.shape[1]
    return class_scores.confusion_matrix(given.truth, given.predicted, n_classes, given.weights)


@_file("accuracy", "classification", higher=True, decides=True)
def accuracy(given: Predictions) -> float:
    """Return the share of rows whose class is right."""
    return class_scores.accuracy(_confusion(given))


@_file("balanced_accuracy", "classification", higher=True, decides=True)
def balanced_accuracy(given: Predictions) -> float:
    """Return the mean over the classes present of the share found."""
    table = _confusion(given)
    n_true = table.sum(axis=1)
    is_present = n_true > 0
    return float(np.mean(np.diag(table)[is_present] / n_true[is_present]))


@_file("f1_macro", "classification", higher=True, decides=True)
def f1_macro(given: Predictions) -> float:
    """Return the mean F1 over the classes that occur or are predicted."""
    return class_scores.f1_macro(_confusion(given))


@_file("roc_auc", "classification", higher=True)
def roc_auc(given: Predictions) -> float:
    """Return the area under the ROC curve; above two classes the mean of each against the rest."""
    return class_scores.roc_auc(given.truth, given.probabilities, given.weights)


@_file("average_precision", "classification", higher=True, two=True)
def average_precision(given: Predictions) -> float:
    """Return the area under the precision-recall steps of the second class."""
    score = given.probabilities[:, 1]
    order = np.argsort(-score, kind="stable")
    counts = (np.ones(len(score)) if given.weights is None else given.weights)[order]
    hits = np.where((given.truth == 1)[order], counts, 0.0)
    if not hits.any():
        return float("nan")
    is_last = np.append(np.diff(score[order]) != 0, True)
    found = np.cumsum(hits)[is_last]
    precision = found / np.cumsum(counts)[is_last]
    return float(np.sum(np.diff(found, prepend=0) * precision) / hits.sum())


@_file("log_loss", "classification", higher=False)
def log_loss(given: Predictions) -> float:
    """Return the mean negative logarithm of the probability given to the true class."""
    chosen = given.probabilities[np.arange(len(given.truth)), given.truth]
    return -weighted.mean(np.log(np.clip(chosen, TINY, 1.0)), given.weights)


@_file("brier", "classification", higher=False, two=True)
def brier(given: Predictions) -> float:
    """Return the mean squared error of the second class's probability."""
    return weighted.mean((given.probabilities[:, 1] - (given.truth == 1)) ** 2, given.weights)


@_file("r2", "regression", higher=True)
def r2(given: Predictions) -> float:
    """Return the explained share of the variance; 0 is predicting the mean of these rows."""
    counts = 1.0 if given.weights is None else given.weights
    middle = weighted.mean(given.truth, given.weights)
    total = float(np.sum(counts * (given.truth - middle) ** 2))
    if total == 0:
        return float("nan")
    return 1.0 - float(np.sum(counts * (given.truth - given.predicted) ** 2)) / total


@_file("rmse", "regression", higher=False)
def rmse(given: Predictions) -> float:
    """Return the root mean square error, in the target's unit."""
    return float(np.sqrt(weighted.mean((given.truth - given.predicted) ** 2, given.weights)))


@_file("mae", "regression", higher=False)
def mae(given: Predictions) -> float:
    """Return the mean absolute error, in the target's unit."""
    return weighted.mean(np.abs(given.truth - given.predicted), given.weights)


@_file("median_ae", "regression", higher=False)
def median_ae(given: Predictions) -> float:
    """Return the median absolute error, in the target's unit."""
    errors = np.abs(given.truth - given.predicted)
    if given.weights is None:
        return float(np.median(errors))
    return float(weighted.quantiles(errors, 0.5, given.weights))
