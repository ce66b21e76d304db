"""The G-test (likelihood ratio) on counts of categories."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, xlogy

from ml_orchestrator.numerics.binning import PairedCounts

__all__ = ["GTest", "g_test_homogeneity"]


@dataclass(frozen=True, slots=True)
class GTest:
    """Result of a G-test; below 5 expected in a cell the p value is only rough."""

    statistic: float
    p_value: float
    degrees_of_freedom: int
    smallest_expected: float


def g_test_homogeneity(counts: PairedCounts) -> GTest:
    """Test whether two samples of categories come from one distribution.

    The statistic is twice the sum of ``observed log(observed / expected)``, with expected counts
    from the pooled shares and ``n_cells - 1`` degrees of freedom. Equal to scipy's
    ``chi2_contingency(lambda_="log-likelihood", correction=False)``.

    Missing values and ties do not enter: the input are counts. A category unseen on one side
    counts zero there and adds nothing. One category in all gives statistic 0 and p 1. Sizes may
    differ. Symmetric.

    References:
        S. S. Wilks, "The large-sample distribution of the likelihood ratio for testing composite
        hypotheses", Annals of Mathematical Statistics 9 (1938).

    >>> counts = PairedCounts(np.array([10, 20]), np.array([20, 10]))
    >>> round(g_test_homogeneity(counts).statistic, 4)
    6.796
    """
    observed = np.stack([counts.reference, counts.current]).astype(np.float64)
    observed = observed[:, observed.sum(axis=0) > 0]
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    # Rounding may push the sum of equal shares below zero.
    statistic = max(float(2 * np.sum(xlogy(observed, observed / expected))), 0.0)
    degrees = observed.shape[1] - 1
    p_value = float(chdtrc(degrees, statistic)) if degrees > 0 else 1.0
    return GTest(statistic, p_value, degrees, float(expected.min()))
