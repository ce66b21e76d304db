"""The Jensen-Shannon distance as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
)
from ml_orchestrator.numerics import jensen_shannon as numerics

__all__ = ["jensen_shannon"]


@DRIFT_TESTS.register("jensen_shannon")
@drift_test(kinds=["numeric", "categorical"], measure="distance", threshold=0.1, is_symmetric=False)
def jensen_shannon(reference: Sample, current: Sample) -> Measurement:
    """Measure the distance of shares over bins or categories; at most 0.83, whatever changed.

    Not symmetric for numeric columns: the reference decides whether bins or single values count.
    """
    counts = paired_counts(reference, current)
    return Measurement(numerics.jensen_shannon(counts.reference_shares, counts.current_shares))
