"""Two chi-square tests on categories as drift tests."""

from ml_orchestrator.health.drift.contract import (
    DRIFT_TESTS,
    Measurement,
    Sample,
    drift_test,
    paired_counts,
    rough_if_below_five,
)
from ml_orchestrator.numerics.chi_square import ChiSquare, chi_square_fit, chi_square_homogeneity

__all__ = ["chi_square", "chi_square_known_reference"]


@DRIFT_TESTS.register("chi_square")
@drift_test(kinds=["categorical"], measure="p_value", threshold=0.05, is_symmetric=True)
def chi_square(reference: Sample, current: Sample) -> Measurement:
    """Test whether both samples share one distribution; raises false alarms at the nominal rate."""
    return _measurement(chi_square_homogeneity(paired_counts(reference, current)))


@DRIFT_TESTS.register("chi_square_known_reference")
@drift_test(kinds=["categorical"], measure="p_value", threshold=0.05, is_symmetric=False)
def chi_square_known_reference(reference: Sample, current: Sample) -> Measurement:
    """Test the current sample against the reference's shares taken as exact; Evidently's test.

    Sound only where the reference is far larger than the current sample: with equal sizes it
    raises several times the nominal number of false alarms.
    """
    return _measurement(chi_square_fit(paired_counts(reference, current)))


def _measurement(result: ChiSquare) -> Measurement:
    note = rough_if_below_five(result.smallest_expected)
    return Measurement(result.statistic, result.p_value, note)
