"""Answers that need no model, on the same held-out rows: what a model must beat.

Without order these are the class shares, the mean or the quantile of the training rows. Of time
series they are also what a forecaster holds a model against: the last known value, and that of
a season ago (R. Hyndman, G. Athanasopoulos, Forecasting: principles and practice, 2021, 5.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor

from ml_orchestrator.training.holdout import predict
from ml_orchestrator.training.metrics import Metric, Predictions
from ml_orchestrator.training.past_columns import PastColumns
from ml_orchestrator.training.series import LONGEST_SEASON, place_rows, seasons
from ml_orchestrator.training.splits import Rows
from ml_orchestrator.training.table import TrainingTable

__all__ = ["Baseline", "baseline_scores", "baselines", "scores_of", "strongest"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What it goes by, such as ``mean`` or ``last value``, and what it says of the test rows."""

    name: str
    given: Predictions


def baselines(table: TrainingTable, train: Rows, test: Rows) -> tuple[Baseline, ...]:
    """Return all that fit the table, the constant one first.

    Those of series know what the model knows: of a test row's own series all targets that are at
    least ``horizon`` steps older, those of earlier test rows included. Seasons are found in the
    training rows. Where nothing is known the value of a season ago is the last one, and the last
    one that of the constant.
    """
    constant = _constant(table, train, test)
    past = table.kinds.past
    if past is None or table.times is None:
        return (constant,)
    return (constant, *_of_series(table, past, train, test, table.times, constant.given))


def strongest(found: Sequence[Baseline], metric: Metric) -> Baseline:
    """Return the best by the metric; the first where it is defined for none."""
    scores = [metric.sign * metric.compute(baseline.given) for baseline in found]
    return found[int(np.argmax(np.where(np.isfinite(scores), scores, -np.inf)))]


def scores_of(baseline: Baseline, metrics: Sequence[Metric]) -> dict[str, float]:
    """Return the metrics that are defined for a baseline."""
    scores = {metric.name: metric.compute(baseline.given) for metric in metrics}
    return {name: score for name, score in scores.items() if np.isfinite(score)}


def baseline_scores(
    metrics: Sequence[Metric], table: TrainingTable, train: Rows, test: Rows
) -> dict[str, float]:
    """Return the metrics of the baseline that is strongest by the first of them."""
    return scores_of(strongest(baselines(table, train, test), metrics[0]), metrics)


def _constant(table: TrainingTable, train: Rows, test: Rows) -> Baseline:
    name, dummy = "mean", DummyRegressor()
    if table.task == "classification":
        name, dummy = "class shares", DummyClassifier(strategy="prior")
    elif table.quantile is not None:
        name = f"quantile {table.quantile:g}"
        dummy = DummyRegressor(strategy="quantile", quantile=table.quantile)
    nothing: Numbers = np.zeros((len(table.labels), 1))
    weights = None if table.weights is None else table.weights[train]
    dummy.fit(nothing[train], table.labels[train], sample_weight=weights)
    return Baseline(name, predict(dummy, nothing[test], table, test))


def _of_series(
    table: TrainingTable,
    past: PastColumns,
    train: Rows,
    test: Rows,
    times: Numbers,
    constant: Predictions,
) -> Iterator[Baseline]:
    rows, horizon = np.concatenate([train, test]), past.horizon
    codes, values = _series_codes(table, past)[rows], table.codes[rows].astype(np.float64)
    furthest = LONGEST_SEASON + 2 * horizon
    places = place_rows(codes, times[rows], step=past.step, furthest=furthest)
    known = places.known(values, horizon=horizon)
    asked = np.arange(len(train), len(rows))
    last = known.last(asked, horizon)
    yield Baseline("last value", _answers(last, constant))
    if table.task == "classification":
        return  # seasons are looked for in changes, which classes have none of
    learnt = slice(0, len(train))
    seen = place_rows(codes[learnt], times[train], step=past.step, furthest=furthest)
    for season in seasons(seen, codes[learnt], values[learnt]):
        whole = season * -(-horizon // season)  # as many seasons as the horizon takes
        ago = known.before(asked, np.array([whole]))[:, 0]
        filled = np.where(np.isfinite(ago), ago, last)
        yield Baseline(f"season of {season} steps", _answers(filled, constant))


def _series_codes(table: TrainingTable, past: PastColumns) -> NDArray[np.int64]:
    """Return a number for the series of each row."""
    if past.series is None:
        return np.zeros(len(table.codes), dtype=np.int64)
    names = table.features[past.series].astype(str)
    codes: NDArray[np.int64] = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return codes


def _answers(values: Numbers, constant: Predictions) -> Predictions:
    """Return known values as predictions, surely so for classes, and the constant's elsewhere."""
    is_known = np.isfinite(values)
    predicted = np.where(is_known, values, constant.predicted)
    n_classes = constant.probabilities.shape[1]
    if n_classes == 0:
        return replace(constant, predicted=predicted)
    codes = predicted.astype(np.int64)
    shares = np.where(is_known[:, None], np.eye(n_classes)[codes], constant.probabilities)
    return replace(constant, predicted=codes, probabilities=shares)
