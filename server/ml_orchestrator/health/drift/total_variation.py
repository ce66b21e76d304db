"""The total variation distance as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
)
from ml_orchestrator.numerics import total_variation as numerics

__all__ = ["total_variation"]


@DRIFT_TESTS.register("total_variation")
@drift_test(kinds=["numeric", "categorical"], measure="distance", threshold=0.1, is_symmetric=False)
def total_variation(reference: Sample, current: Sample) -> Measurement:
    """Measure the share of rows that would have to change bin or category, from 0 to 1.

    Not symmetric for numeric columns: the reference decides whether bins or single values count.
    """
    counts = paired_counts(reference, current)
    return Measurement(numerics.total_variation(counts.reference_shares, counts.current_shares))
