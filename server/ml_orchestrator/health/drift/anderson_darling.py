"""The Anderson-Darling test as a drift test."""

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics import anderson_darling as numerics

__all__ = ["anderson_darling"]


@DRIFT_TESTS.register("anderson_darling")
@drift_test(kinds=["numeric"], measure="p_value", threshold=0.05, is_symmetric=True)
def anderson_darling(reference: Sample, current: Sample) -> Measurement:
    """Compare distribution functions, the tails weighing most."""
    if reference.n_values + current.n_values < 4:
        raise InvalidInputError(
            f"Column {reference.column!r}: the Anderson-Darling test needs four values in all."
        )
    result = numerics.anderson_darling(reference.numbers, current.numbers)
    return Measurement(result.statistic, result.p_value)
