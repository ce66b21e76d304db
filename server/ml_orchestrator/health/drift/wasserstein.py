"""The Wasserstein distance as a drift test."""

from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics.wasserstein import normalised_wasserstein

__all__ = ["wasserstein"]


@DRIFT_TESTS.register("wasserstein")
@drift_test(kinds=["numeric"], measure="distance", threshold=0.1, is_symmetric=False)
def wasserstein(reference: Sample, current: Sample) -> Measurement:
    """Measure how far values moved, in standard deviations of the reference."""
    return Measurement(normalised_wasserstein(reference.numbers, current.numbers))
