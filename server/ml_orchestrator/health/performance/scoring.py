"""Measured performance: the scores of rows whose label is known, and how sure they are."""

from collections.abc import Mapping

import numpy as np

from ml_orchestrator.health.performance.predictions import Predicted
from ml_orchestrator.numerics.class_scores import realised_scores

__all__ = ["HIGHER_IS_BETTER", "measured", "spread_at", "with_interval"]

HIGHER_IS_BETTER = {
    "roc_auc": True,
    "accuracy": True,
    "f1_macro": True,
    "precision": True,
    "recall": True,
    "mae": False,
    "rmse": False,
}
N_RESAMPLES = 200
MOST_DRAWN = 4_000_000  # resamples times rows, which bounds the time


def measured(rows: Predicted) -> Mapping[str, float]:
    """Return the scores that the labelled rows define, main one first."""
    known = rows.is_labelled
    truth, predicted = rows.truth[known], rows.predicted[known]
    if not truth.size:
        return {}
    if rows.classes:
        chances = rows.probabilities
        scores = realised_scores(truth, predicted, chances[known] if len(chances) else chances)
    else:
        errors = np.abs(truth - predicted)
        scores = {"mae": float(errors.mean()), "rmse": float(np.sqrt(np.mean(errors**2)))}
    return {
        name: scores[name] for name in HIGHER_IS_BETTER if np.isfinite(scores.get(name, np.nan))
    }


def with_interval(
    rows: Predicted, rng: np.random.Generator
) -> Mapping[str, tuple[float, float, float]]:
    """Return each measured score with its 95 % percentile bootstrap interval.

    References:
        B. Efron, R. Tibshirani, "An introduction to the bootstrap" (1993).
    """
    known = rows.take(rows.is_labelled)
    draws = _resampled(known, len(known.truth), rng)
    found = {}
    for name, value in measured(known).items():
        low, high = np.quantile(draws.get(name, [value]), [0.025, 0.975])
        found[name] = (value, float(low), float(high))
    return found


def spread_at(rows: Predicted, n_rows: int, rng: np.random.Generator) -> Mapping[str, float]:
    """Return the standard deviation of each score over random chunks of ``n_rows``."""
    known = rows.take(rows.is_labelled)
    return {name: float(np.std(values)) for name, values in _resampled(known, n_rows, rng).items()}


def _resampled(
    known: Predicted, n_rows: int, rng: np.random.Generator
) -> Mapping[str, list[float]]:
    draws: dict[str, list[float]] = {}
    bare = Predicted(known.truth, known.predicted, known.probabilities, {}, known.classes)
    for _ in range(int(np.clip(MOST_DRAWN // max(n_rows, 1), 20, N_RESAMPLES))):
        resample = bare.take(rng.integers(0, len(known.truth), n_rows))
        for name, value in measured(resample).items():
            draws.setdefault(name, []).append(value)
    return draws
