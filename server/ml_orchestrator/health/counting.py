"""What a comparison of two samples adds to the metrics."""

from ml_orchestrator.health.models import DriftReport
from ml_orchestrator.telemetry.measures import count_drift

__all__ = ["count_report"]


def count_report(report: DriftReport) -> None:
    """Count a comparison; an infinite score is left out."""
    scores = (
        (column.test, column.statistic, column.is_drifted)
        for column in report.columns
        if column.statistic is not None
    )
    count_drift(scores, is_drifted=report.is_drifted, share_drifted=report.share_drifted)
