"""The performance of a model over time: measured, estimated, and judged."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.chunks import Chunk, Timeline, cut, ordered
from ml_orchestrator.health.performance.advice import missed_beyond_chance, next_steps
from ml_orchestrator.health.performance.cbpe import ConfidenceEstimator
from ml_orchestrator.health.performance.dle import LossEstimator
from ml_orchestrator.health.performance.models import (
    MetricOverTime,
    PerformanceChunk,
    PerformanceReport,
    Range,
    Score,
)
from ml_orchestrator.health.performance.predictions import Predicted
from ml_orchestrator.health.performance.scoring import (
    HIGHER_IS_BETTER,
    measured,
    spread_at,
    with_interval,
)
from ml_orchestrator.health.streams.dating import change_of, detectors_are_there

__all__ = ["check_performance"]

LEAST_LABELLED = 30  # rows of a chunk, from which it is measured
Intervals = Mapping[str, tuple[float, float, float]]


class _Estimator(Protocol):
    @property
    def method(self) -> Literal["cbpe", "dle"]: ...

    @property
    def assumption(self) -> str: ...

    def estimate(self, current: Predicted) -> Intervals: ...


def check_performance(
    reference: Predicted,
    current: Predicted,
    *,
    timeline: Timeline | None = None,
    chunk: str | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> PerformanceReport:
    """Judge a model chunk by chunk: by labels where there are enough, else by an estimate.

    A chunk with at least 30 labelled rows is measured; every chunk is estimated too, if the model
    gives probabilities or predicts numbers. A chunk is worse when its score lies beyond a limit
    taken from the reference: the score there, less what chance explains in a chunk of that size
    and in the reference itself. ``alpha`` is shared out over all chunks and metrics (Bonferroni),
    so that for a model as good as before the chance of any alarm is about ``alpha`` at most.

    Args:
        reference: with labels; rows that the model was not trained on.
        current: earliest first unless there is a timeline; labels may be absent.
        timeline: when each current row was.
        chunk: as for `cut`.
        alpha: between 0 and 1.
        seed: of resamples, folds and draws; the same seed gives the same report.

    Raises:
        InvalidInputError: an option is out of range, or the reference has too few labels.
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; found {alpha}.")
    level = measured(reference)
    if int(reference.is_labelled.sum()) < LEAST_LABELLED:
        raise InvalidInputError(
            f"The reference has {int(reference.is_labelled.sum())} rows with a label; "
            f"{LEAST_LABELLED} are needed to know how good the model was."
        )
    estimator = _estimator(reference, seed)
    parts = cut(len(current.predicted), timeline, chunk)
    judge = _Judge(reference, level, parts, alpha=alpha, seed=seed)
    chunks = [_judged(part, current.take(part.rows), estimator, judge, seed) for part in parts]
    metrics = {name: _over_time(name, chunks, judge) for name in judge.level}
    report = _report(reference, metrics, chunks, estimator)
    if not report.is_worse:
        return report
    return report.model_copy(update={"errors_rose": _errors_rose(reference, current, timeline)})


def _errors_rose(reference: Predicted, current: Predicted, timeline: Timeline | None) -> str | None:
    """Return the moment from which errors are more or larger, row by row; None if none is seen."""
    if not detectors_are_there():
        return None
    order, moments = ordered(len(current.predicted), timeline)
    order = order[current.is_labelled[order]]
    before, after = _errors(reference.take(reference.is_labelled)), _errors(current.take(order))
    change = change_of(before, after) if after.size else None
    if change is None or after[change.since : change.seen + 1].mean() <= before.mean():
        return None
    return moments.label(moments.values[order[change.since]])


def _errors(rows: Predicted) -> NDArray[np.float64]:
    if rows.task == "classification":
        errors: NDArray[np.float64] = (rows.truth != rows.predicted).astype(np.float64)
        return errors
    sizes: NDArray[np.float64] = np.abs(rows.truth - rows.predicted).astype(np.float64)
    return sizes


def _estimator(reference: Predicted, seed: int) -> _Estimator | None:
    if reference.task == "regression":
        return LossEstimator(reference, seed=seed)
    return ConfidenceEstimator(reference, seed=seed) if len(reference.probabilities) else None


class _Judge:
    """Knows how bad a score of so many rows may be by chance."""

    def __init__(
        self,
        reference: Predicted,
        level: Mapping[str, float],
        parts: Sequence[Chunk],
        *,
        alpha: float,
        seed: int,
    ) -> None:
        self.level = level
        self._n_reference = int(reference.is_labelled.sum())
        self.usual_rows = int(np.median([part.rows.size for part in parts]))
        self._spread = spread_at(reference, self.usual_rows, np.random.default_rng(seed))
        self._z = float(norm.isf(alpha / (len(parts) * len(level))))

    def limit(self, name: str, n_rows: int) -> float:
        """Return the worst score that chance explains in ``n_rows`` rows."""
        share = 1 / n_rows + 1 / self._n_reference  # both scores are known with error
        spread = self._spread.get(name, 0.0) * (self.usual_rows * share) ** 0.5
        sign = -1 if HIGHER_IS_BETTER[name] else 1
        return float(self.level[name] + sign * self._z * spread)

    def is_worse(self, name: str, value: float, n_rows: int) -> bool:
        limit = self.limit(name, n_rows)
        return value < limit if HIGHER_IS_BETTER[name] else value > limit


def _judged(
    part: Chunk, rows: Predicted, estimator: _Estimator | None, judge: _Judge, seed: int
) -> PerformanceChunk:
    n_rows, n_labelled = part.rows.size, int(rows.is_labelled.sum())
    known: Intervals = {}
    if n_labelled >= LEAST_LABELLED:
        known = with_interval(rows, np.random.default_rng(seed))
    guessed: Intervals = {} if estimator is None else estimator.estimate(rows)
    scores = {}
    for name in judge.level:
        realised, estimated = _range(known, name), _range(guessed, name)
        best, n = (realised, n_labelled) if realised else (estimated, n_rows)
        if best is not None:
            is_worse = judge.is_worse(name, best.value, n)
            scores[name] = Score(realised=realised, estimated=estimated, is_worse=is_worse)
    return PerformanceChunk(
        start=part.start, end=part.end, n_rows=n_rows, n_labelled=n_labelled, scores=scores
    )


def _range(found: Intervals, name: str) -> Range | None:
    if name not in found:
        return None
    value, low, high = found[name]
    return Range(value=value, low=low, high=high)


def _over_time(name: str, chunks: Sequence[PerformanceChunk], judge: _Judge) -> MetricOverTime:
    worse = [chunk for chunk in chunks if name in chunk.scores and chunk.scores[name].is_worse]
    scores = [chunk.scores[name] for chunk in chunks if name in chunk.scores]
    both = [(s.estimated, s.realised) for s in scores if s.estimated and s.realised]
    more: dict[str, Any] = {}
    if both:
        more = {
            "estimate_gap": float(np.mean([abs(e.value - r.value) for e, r in both])),
            "coverage": float(np.mean([e.low <= r.value <= e.high for e, r in both])),
        }
    return MetricOverTime(
        higher_is_better=HIGHER_IS_BETTER[name],
        reference=judge.level[name],
        limit=judge.limit(name, judge.usual_rows),
        n_worse=len(worse),
        worse_since=worse[0].start if worse else None,
        **more,
    )


def _report(
    reference: Predicted,
    metrics: Mapping[str, MetricOverTime],
    chunks: Sequence[PerformanceChunk],
    estimator: _Estimator | None,
) -> PerformanceReport:
    shown = [name for name in metrics if any(name in chunk.scores for chunk in chunks)]
    if not shown:
        raise InvalidInputError(
            f"No chunk has {LEAST_LABELLED} labels, and without probabilities nothing can be "
            "estimated. Name the columns of the probabilities, or wait for labels."
        )
    main = shown[0]
    is_measured = any(score.realised for chunk in chunks for score in chunk.scores.values())
    worse = tuple(name for name in shown if metrics[name].n_worse)
    bad = [chunk for chunk in chunks if any(score.is_worse for score in chunk.scores.values())]
    since = bad[0].start if bad else None
    basis = "measured where labels exist" if is_measured else "estimated without labels"
    if worse:
        summary = f"Worse since {since}, {basis}, in {len(bad)} of {len(chunks)} chunks: "
        summary += "; ".join(_beyond(name, metrics[name]) for name in worse) + "."
    else:
        summary = (
            f"No chunk of {len(chunks)} is worse: {', '.join(shown)}, {basis}, stay within chance "
            f"of the reference ({main} {metrics[main].reference:.4g})."
        )
    return PerformanceReport(
        is_worse=bool(worse),
        since=since,
        task=reference.task,
        method=estimator.method if estimator else "none",
        metrics=dict(metrics),
        chunks=tuple(chunks),
        assumption=estimator.assumption if estimator else None,
        next_steps=next_steps(
            worse,
            since,
            is_measured=is_measured,
            missed=missed_beyond_chance([c.scores[main] for c in chunks if main in c.scores]),
        ),
        summary=summary,
    )


def _beyond(name: str, metric: MetricOverTime) -> str:
    return (
        f"{name} is beyond {metric.limit:.4g} in {metric.n_worse}, the reference has "
        f"{metric.reference:.4g}"
    )
