"""What a fitted pipeline is worth on rows it never saw."""

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from ml_orchestrator.training.metrics import Metric, Predictions
from ml_orchestrator.training.model_parts import members_of, takes_weights
from ml_orchestrator.training.models import Importance
from ml_orchestrator.training.past import remember
from ml_orchestrator.training.splits import Rows, learnable
from ml_orchestrator.training.table import TrainingTable

__all__ = [
    "columns_of",
    "fit",
    "n_shuffles",
    "permutation_importances",
    "predict",
]

MAX_ROWS = 1_000
FEW_ROWS = 100
MAX_PREDICTIONS = 150  # over all columns and repeats
N_TOP = 15


def fit(pipeline: Pipeline, table: TrainingTable, rows: Rows) -> Pipeline:
    """Return the pipeline, fitted on the given rows, as it is saved and set to predict on one core.

    A solver that stops short of its tolerance says so in a warning; the score says how good the
    result is, so the warning is not passed on. One core because threads add up the trees in any
    order, and the last bits of a probability would differ between runs.

    A model of time series several steps ahead learns from the ``learnable`` rows, and looks back
    at the others.
    """
    known = learnable(table, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        warnings.filterwarnings("ignore", message="Got `batch_size`")  # fewer rows than a batch
        given = _weights(pipeline.named_steps["model"], table, known)
        pipeline.fit(table.features.iloc[known], table.labels[known], **given)
    if len(known) < len(rows):
        remember(pipeline, table.features.iloc[np.setdiff1d(rows, known)])
    model = pipeline.named_steps["model"]
    if hasattr(model, "as_saved"):
        model = model.as_saved()
        pipeline.steps[-1] = ("model", model)
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=None)
    return pipeline


def _weights(model: Any, table: TrainingTable, rows: Rows) -> dict[str, NDArray[np.float64]]:
    """Return the weights for a model that takes them, 1 on average, or penalties would shift."""
    if table.weights is None or not takes_weights(model):
        return {}
    weights = table.weights[rows]
    return {"model__sample_weight": weights / weights.mean()}


def predict(model: Any, features: Any, table: TrainingTable, rows: Rows) -> Predictions:
    """Return the model's predictions for ``features``, a row for each of ``rows``, and the truth.

    The weights of these rows, where the table has some, are kept beside it.
    A class that the model has not seen gets probability 0. Predicted is the most probable class,
    or by the model's own ``threshold`` where it has one.
    """
    truth = table.codes[rows]
    weights = None if table.weights is None else table.weights[rows]
    if table.task == "regression":
        return Predictions(truth, model.predict(features), np.empty((len(rows), 0)), weights)
    probabilities = np.zeros((len(rows), len(table.classes)))
    known = np.searchsorted(np.unique(table.labels), model.classes_)
    probabilities[:, known] = model.predict_proba(features)
    threshold = getattr(model, "threshold", None)
    if threshold is None:
        return Predictions(truth, probabilities.argmax(axis=1), probabilities, weights)
    codes = (probabilities[:, 1] >= threshold).astype(np.int64)
    return Predictions(truth, codes, probabilities, weights)


def permutation_importances(
    pipeline: Any,
    table: TrainingTable,
    test: Rows,
    *,
    metric: Metric,
    seed: int,
    within_s: float = float("inf"),
) -> tuple[Importance, ...]:
    """Return how much worse the metric gets when one raw column is shuffled, worst first.

    Measured on at most 1,000 held-out rows, one to five shuffles a column; 15 at most are kept.
    Where that would take longer than ``within_s``, judged by one prediction, with fewer shuffles
    and, if need be, of 100 rows; where even that would, there are none.
    """
    rng = np.random.default_rng(seed)
    rows = test
    if len(test) > MAX_ROWS and table.kinds.past is None:
        rows = rng.choice(test, MAX_ROWS, replace=False)
    elif len(test) > MAX_ROWS:
        rows = test[:MAX_ROWS]  # neighbours, which may look back at one another
    names = columns_of(pipeline, table)
    n_repeats = n_shuffles(len(names))
    if np.isfinite(within_s):
        rows, n_repeats = _affordable(pipeline, table, rows, n_repeats, within_s)
    if n_repeats == 0:
        return ()
    features = table.features.iloc[rows]
    intact = metric.compute(predict(pipeline, features, table, rows))

    def loss(name: str) -> float:
        shuffled = features.copy()
        column = features[name].take(rng.permutation(len(rows)))
        shuffled[name] = column.set_axis(features.index)
        given = predict(pipeline, shuffled, table, rows)
        return metric.sign * (intact - metric.compute(given))

    losses = {name: [loss(name) for _ in range(n_repeats)] for name in names}
    found = [
        Importance(feature=name, loss=float(np.mean(drops)), std=float(np.std(drops)))
        for name, drops in losses.items()
        if np.isfinite(drops).all()
    ]
    return tuple(sorted(found, key=lambda importance: -importance.loss)[:N_TOP])


def columns_of(model: Any, table: TrainingTable) -> tuple[str, ...]:
    """Return the raw columns that a fitted model takes; the target too if it looks back at it."""
    if table.kinds.past is None:
        return table.kinds.names
    used = {name for member in members_of(model) for name in _columns_read(member)}
    return tuple(name for name in table.features.columns if name in used)


def _columns_read(model: Any) -> set[str]:
    """Return the columns of a pipeline, or those that a model without steps (ONNX) names."""
    if not hasattr(model, "named_steps"):
        return {str(name) for name in model.feature_names_in_}
    parts = model.named_steps["columns"].transformers
    return {name for _, _, columns in parts for name in columns}


def n_shuffles(n_columns: int) -> int:
    """Return how often each column is shuffled if there is time."""
    return int(np.clip(MAX_PREDICTIONS // n_columns, 1, 5))


def _affordable(
    model: Any, table: TrainingTable, rows: Rows, n_repeats: int, within_s: float
) -> tuple[Rows, int]:
    """Return how many rows and shuffles there is time for; 0 shuffles if not even for one."""
    for part in (rows, rows[:FEW_ROWS]):
        began_at = time.perf_counter()
        predict(model, table.features.iloc[part], table, part)
        each_s = time.perf_counter() - began_at
        n_fitting = int(within_s / (each_s * len(columns_of(model, table))))
        if n_fitting >= 1:
            return part, min(n_repeats, n_fitting)
    return rows, 0
