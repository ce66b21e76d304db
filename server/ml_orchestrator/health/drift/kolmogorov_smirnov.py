"""The Kolmogorov-Smirnov test as a drift test."""

from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov

__all__ = ["ks"]


@DRIFT_TESTS.register("ks")
@drift_test(kinds=["numeric"], measure="p_value", threshold=0.05, is_symmetric=True)
def ks(reference: Sample, current: Sample) -> Measurement:
    """Compare distribution functions; sees any change of shape, and tiny ones in large samples."""
    result = kolmogorov_smirnov(reference.numbers, current.numbers)
    return Measurement(result.statistic, result.p_value)
