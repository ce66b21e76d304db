"""The G-test on categories as a drift test."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
    rough_if_below_five,
)
from ml_orchestrator.numerics.g_test import g_test_homogeneity

__all__ = ["g_test"]


@DRIFT_TESTS.register("g_test")
@drift_test(kinds=["categorical"], measure="p_value", threshold=0.05, is_symmetric=True)
def g_test(reference: Sample, current: Sample) -> Measurement:
    """Test by likelihood ratio whether both samples share one distribution."""
    result = g_test_homogeneity(paired_counts(reference, current))
    note = rough_if_below_five(result.smallest_expected)
    return Measurement(result.statistic, result.p_value, note)
