"""The Cramér-von Mises test as a drift test."""

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics import cramer_von_mises as numerics

__all__ = ["cramer_von_mises"]


@DRIFT_TESTS.register("cramer_von_mises")
@drift_test(kinds=["numeric"], measure="p_value", threshold=0.05, is_symmetric=True)
def cramer_von_mises(reference: Sample, current: Sample) -> Measurement:
    """Compare distribution functions over their whole range; sees many small gaps."""
    if min(reference.n_values, current.n_values) < 2:
        raise InvalidInputError(
            f"Column {reference.column!r}: the Cramér-von Mises test needs two values on each side."
        )
    result = numerics.cramer_von_mises(reference.numbers, current.numbers)
    return Measurement(result.statistic, result.p_value)
