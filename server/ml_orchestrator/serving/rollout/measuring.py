"""Measuring what gates judge, from what two versions answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.binning import category_counts
from ml_orchestrator.numerics.chi_square import chi_square_homogeneity
from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov
from ml_orchestrator.numerics.sequential import lower_bound, upper_bound
from ml_orchestrator.serving.control import SlotStats
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.rollout.gates import Gate, Measured
from ml_orchestrator.serving.rollout.losses import MOST_PAIRS, Losses

__all__ = ["View", "measure"]

# A look every few seconds over hours must not take chance for drift.
DRIFT_P_VALUE = 1e-4
TASK_ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class View:
    """What is known of both versions; ``old`` may be what it answered before the switch."""

    new: SlotStats | None
    old: SlotStats | None
    losses: Losses = field(default_factory=Losses)


def measure(gate: Gate, view: View) -> Measured:
    """Return the gate's number for the new version, or why there is none."""
    return _MEASURES[gate.metric](gate, view)


def _health(gate: Gate, view: View) -> Measured:
    if view.new is None:
        return Measured(value=1.0, detail="the version is not loaded")
    if view.new.fault is not None:
        return Measured(value=1.0, detail=view.new.fault)
    return Measured(value=0.0, detail="loaded and answering")


def _error_rate(gate: Gate, view: View) -> Measured:
    new = view.new
    if new is None or new.n_requests < max(gate.min_requests, 1):
        return _too_few(gate, new)
    rate = new.n_errors / new.n_requests
    return Measured(value=rate, detail=f"{new.n_errors} of {new.n_requests} answers are errors")


def _latency(quantile: str) -> Callable[[Gate, View], Measured]:
    def latency(gate: Gate, view: View) -> Measured:
        new = view.new
        ms = _milliseconds(new, quantile, gate)
        if ms is None:
            return _too_few(gate, new)
        return Measured(value=ms, detail=f"{quantile} {ms:.1f} ms")

    return latency


def _ratio(quantile: str) -> Callable[[Gate, View], Measured]:
    def ratio(gate: Gate, view: View) -> Measured:
        new, old = (_milliseconds(s, quantile, gate) for s in (view.new, view.old))
        if new is None or old is None:
            return _too_few(gate, view.new if new is None else view.old)
        detail = f"{quantile} {new:.1f} ms, {old:.1f} ms before"
        return Measured(value=new / max(old, 1e-6), detail=detail)

    return ratio


def _milliseconds(stats: SlotStats | None, quantile: str, gate: Gate) -> float | None:
    if stats is None or stats.n_requests < max(gate.min_requests, 1):
        return None
    value: float | None = getattr(stats, f"{quantile}_ms")
    return value


def _drift(gate: Gate, view: View) -> Measured:
    """Return how far apart the answers are, 0 to 1; 0 if chance alone may well do that.

    Numbers: the Kolmogorov-Smirnov distance, with its exact test. Classes: the total variation
    distance, with the chi-square test of homogeneity.
    """
    new = () if view.new is None else view.new.predictions
    old = () if view.old is None else view.old.predictions
    least = max(gate.min_requests, 1)
    if min(len(new), len(old)) < least:
        found = f"{len(old)} and {len(new)} predictions"
        return Measured(value=None, detail=f"no data: {found}, at least {least} each are needed")
    distance, p_value = _distance(old, new)
    detail = f"distance {distance:.3f}, p {p_value:.2g}, {len(old)} and {len(new)} predictions"
    return Measured(value=distance if p_value <= DRIFT_P_VALUE else 0.0, detail=detail)


def _distance(old: Sequence[Prediction], new: Sequence[Prediction]) -> tuple[float, float]:
    if all(isinstance(x, float) for x in (*old, *new)):
        found = kolmogorov_smirnov(np.array(old, dtype=float), np.array(new, dtype=float))
        return found.statistic, found.p_value
    _, counts = category_counts([str(x) for x in old], [str(x) for x in new])
    gaps = np.abs(counts.reference_shares - counts.current_shares)
    return float(gaps.sum() / 2), chi_square_homogeneity(counts).p_value


def _task_loss(gate: Gate, view: View) -> Measured:
    """Return how much larger the new version's loss is, with bounds valid at every look."""
    n = min(len(view.losses.old), len(view.losses.new), MOST_PAIRS)
    if n < max(gate.min_requests, 1):
        return Measured(value=None, detail=f"no data: {n} pairs of labelled predictions")
    gaps = _array(view.losses.new[:n]) - _array(view.losses.old[:n])
    low, high = (
        2 * bound((gaps + 1) / 2, alpha=TASK_ALPHA) - 1 for bound in (lower_bound, upper_bound)
    )
    value = float(gaps.mean())
    detail = f"loss {value:+.3f} against before, {low:+.3f} to {high:+.3f}, {n} pairs"
    return Measured(value=value, low=low, high=high, detail=detail)


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _too_few(gate: Gate, stats: SlotStats | None) -> Measured:
    n = 0 if stats is None else stats.n_requests
    least = max(gate.min_requests, 1)
    return Measured(value=None, detail=f"no data: {n} requests, at least {least} are needed")


_QUANTILES = ("p50", "p95", "p99")
_MEASURES: Mapping[str, Callable[[Gate, View], Measured]] = MappingProxyType(
    {
        "health": _health,
        "error_rate": _error_rate,
        "prediction_drift": _drift,
        "task_loss": _task_loss,
        **{f"latency_{q}_ms": _latency(q) for q in _QUANTILES},
        **{f"latency_{q}_ratio": _ratio(q) for q in _QUANTILES},
    }
)
