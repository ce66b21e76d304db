"""What a comparison of two samples adds to the metrics."""

import math
from collections.abc import Collection

from ml_orchestrator.health.models import DriftReport
from ml_orchestrator.health.monitors.calibration import Excess
from ml_orchestrator.telemetry.measures import count_drift

__all__ = ["count_excess", "count_report"]


def count_report(report: DriftReport) -> None:
    """Count a comparison; an infinite score is left out."""
    scores = (
        (column.test, column.statistic, column.is_drifted)
        for column in report.columns
        if column.statistic is not None
    )
    count_drift(scores, is_drifted=report.is_drifted, share_drifted=report.share_drifted)


def count_excess(columns: Collection[Excess]) -> None:
    """Count a comparison by calibrated limits, by which one column beyond is drift.

    An infinite score is left out; without a column nothing is counted.
    """
    if not columns:
        return
    scores = [(c.test, c.statistic, c.is_beyond) for c in columns if math.isfinite(c.statistic)]
    n_beyond = sum(column.is_beyond for column in columns)
    count_drift(scores, is_drifted=n_beyond > 0, share_drifted=n_beyond / len(columns))
