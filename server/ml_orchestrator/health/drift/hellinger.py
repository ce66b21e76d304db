"""The Hellinger distance as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
)
from ml_orchestrator.numerics import hellinger as numerics

__all__ = ["hellinger"]


@DRIFT_TESTS.register("hellinger")
@drift_test(kinds=["numeric", "categorical"], measure="distance", threshold=0.1, is_symmetric=False)
def hellinger(reference: Sample, current: Sample) -> Measurement:
    """Measure the distance of shares over bins or categories, from 0 to 1; rare ones count.

    Not symmetric for numeric columns: the reference decides whether bins or single values count.
    Evidently's distance where no number occurs twice; else its bins are fewer, as it counts the
    distinct values for their number, and ours those of all other distances here.
    """
    counts = paired_counts(reference, current)
    return Measurement(numerics.hellinger(counts.reference_shares, counts.current_shares))
