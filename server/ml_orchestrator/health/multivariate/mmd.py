"""The kernel two-sample test as a test of columns together."""

from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows
from ml_orchestrator.numerics.mmd import LARGEST_SAMPLE, discrepancy_in_steps

__all__ = ["mmd"]


@TOGETHER_TESTS.register("mmd")
def mmd(rows: Rows, *, seed: int) -> Found:
    """Compare all distances between rows, with a permutation null; names no columns.

    Of more than 1,000 rows a side, 1,000 are drawn. Small p values are from 4,999 permutations.
    """
    result = discrepancy_in_steps(rows.reference, rows.current, seed=seed)
    return Found(result.statistic, result.p_value, {}, LARGEST_SAMPLE)
