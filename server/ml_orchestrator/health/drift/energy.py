"""The energy distance as a drift test."""

from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics.energy import normalised_energy_distance

__all__ = ["energy"]


@DRIFT_TESTS.register("energy")
@drift_test(kinds=["numeric"], measure="distance", threshold=0.1, is_symmetric=False)
def energy(reference: Sample, current: Sample) -> Measurement:
    """Measure the gap of distribution functions, squared and added up, in reference deviations."""
    return Measurement(normalised_energy_distance(reference.numbers, current.numbers))
