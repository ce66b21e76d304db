"""A drift test: whether a column spreads more or less than it did, about the same middle."""

from scipy import stats

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift import DRIFT_TESTS, Measurement, Sample
from ml_orchestrator.health.drift.contract import drift_test

__all__ = ["mood"]

FEWEST = 3  # values of both sides together that scipy 1.15 asks for


@DRIFT_TESTS.register("mood")
@drift_test(kinds=["numeric"], measure="p_value", threshold=0.05, is_symmetric=True)
def mood(reference: Sample, current: Sample) -> Measurement:
    """Compare spreads by Mood's test (A. Mood, 1954); a moved middle it does not see."""
    if reference.values.size + current.values.size < FEWEST:
        raise InvalidInputError(f"Column {reference.column!r}: Mood's test needs three values.")
    result = stats.mood(reference.values, current.values)
    return Measurement(float(result.statistic), float(result.pvalue))
