"""The population stability index as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
)
from ml_orchestrator.numerics.psi import population_stability_index

__all__ = ["psi"]


@DRIFT_TESTS.register("psi")
@drift_test(kinds=["numeric", "categorical"], measure="distance", threshold=0.1, is_symmetric=False)
def psi(reference: Sample, current: Sample) -> Measurement:
    """Measure the change of shares over bins or categories; unbounded, rare ones weigh most.

    Not symmetric for numeric columns: the reference decides whether bins or single values count.
    """
    counts = paired_counts(reference, current)
    return Measurement(population_stability_index(counts.reference_shares, counts.current_shares))
