"""The Hellinger distance as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
)
from ml_orchestrator.numerics import hellinger as numerics
from ml_orchestrator.numerics.binning import distinct_histogram_counts

__all__ = ["hellinger"]


@DRIFT_TESTS.register("hellinger")
@drift_test(kinds=["numeric", "categorical"], measure="distance", threshold=0.1, is_symmetric=True)
def hellinger(reference: Sample, current: Sample) -> Measurement:
    """Measure the distance of shares over bins or categories, from 0 to 1; rare ones count.

    Evidently's distance: bins of equal width, their number by how many distinct values there are.
    """
    if reference.kind == "numeric":
        counts = distinct_histogram_counts(reference.numbers, current.numbers)
    else:
        counts = paired_counts(reference, current)
    return Measurement(numerics.hellinger(counts.reference_shares, counts.current_shares))
