"""The kernel two-sample test as a test of columns together."""

import numpy as np

from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows
from ml_orchestrator.numerics.mmd import maximum_mean_discrepancy

__all__ = ["mmd"]


@TOGETHER_TESTS.register("mmd")
def mmd(rows: Rows, *, seed: int) -> Found:
    """Compare all distances between rows, with a permutation null; names no columns."""
    rng = np.random.default_rng(seed)
    result = maximum_mean_discrepancy(rows.reference, rows.current, rng=rng)
    return Found(result.statistic, result.p_value, {})
