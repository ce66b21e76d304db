"""How sure a held-out score is, by resampling its rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.metrics import Metric, Predictions
from ml_orchestrator.training.models import Interval

__all__ = ["Resample", "cluster_numbers", "holdout_intervals", "n_resamples", "resampling"]

LEVEL = 0.95
N_RESAMPLES = 500
MAX_DRAWN_ROWS = 5_000_000  # resamples times rows, which bounds the time

Resample = Callable[[np.random.Generator], NDArray[np.int64]]
"""Draws as many rows, or clusters of rows, as there are, repeats allowed."""


def holdout_intervals(
    metrics: list[Metric],
    given: Predictions,
    *,
    groups: NDArray[Any] | None,
    is_ordered: bool,
    seed: int,
) -> dict[str, Interval]:
    """Return the percentile bootstrap interval of each metric that the rows define.

    Rows that hang together are drawn together, or the interval would be too narrow: whole
    groups where ``groups`` of shape ``(n_rows,)`` is given, blocks of neighbours in time where
    the rows ``is_ordered``; with both, groups are the rows of one time, blocks of whole times.

    Reference: B. Efron, R. Tibshirani, An introduction to the bootstrap, 1993.
    """
    rng = np.random.default_rng(seed)
    draw = resampling(len(given.truth), groups, is_ordered=is_ordered)
    draws: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    for _ in range(n_resamples(len(given.truth))):
        resample = given.take(draw(rng))
        for metric in metrics:
            draws[metric.name].append(metric.compute(resample))
    estimates = {metric.name: metric.compute(given) for metric in metrics}
    return {
        name: _interval(estimate, draws[name], n=len(given.truth))
        for name, estimate in estimates.items()
        if np.isfinite(estimate)
    }


def resampling(n_rows: int, groups: NDArray[Any] | None, *, is_ordered: bool) -> Resample:
    """Return what draws rows anew: groups and blocks of neighbours in time as wholes."""
    clusters = _clusters(n_rows, groups, is_ordered=is_ordered)
    one_each = np.concatenate(clusters) if len(clusters) == n_rows else None

    def draw(rng: np.random.Generator) -> NDArray[np.int64]:
        chosen = rng.integers(0, len(clusters), len(clusters))
        if one_each is not None:
            rows: NDArray[np.int64] = one_each[chosen]
            return rows
        return np.concatenate([clusters[i] for i in chosen])

    return draw


def n_resamples(n_rows: int) -> int:
    """Return how often so many rows are drawn anew."""
    return int(np.clip(MAX_DRAWN_ROWS // n_rows, 50, N_RESAMPLES))


def cluster_numbers(
    n_rows: int, groups: NDArray[Any] | None, *, is_ordered: bool
) -> NDArray[np.int64]:
    """Return for each row the number of what it is drawn with, from 0."""
    numbers = np.empty(n_rows, dtype=np.int64)
    for number, rows in enumerate(_clusters(n_rows, groups, is_ordered=is_ordered)):
        numbers[rows] = number
    return numbers


def _clusters(
    n_rows: int, groups: NDArray[Any] | None, *, is_ordered: bool
) -> list[NDArray[np.int64]]:
    if groups is None:
        rows = np.arange(n_rows)
        return _blocks(rows) if is_ordered else np.array_split(rows, n_rows)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(groups[order][1:] != groups[order][:-1]) + 1
    if is_ordered and len(starts):
        firsts = [block[0] for block in _blocks(np.arange(len(starts) + 1))[1:]]
        starts = starts[np.array(firsts) - 1]
    return np.split(order, starts)


def _blocks(ordered: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return neighbours, at least two blocks, each of about the third root of their number."""
    n = len(ordered)
    return np.array_split(ordered, max(2, n // max(1, round(n ** (1 / 3)))))


def _interval(estimate: float, draws: list[float], *, n: int) -> Interval:
    defined = np.array([value for value in draws if np.isfinite(value)] or [estimate])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(estimate=estimate, low=float(low), high=float(high), level=LEVEL, n=n)
