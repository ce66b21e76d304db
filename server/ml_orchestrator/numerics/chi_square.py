"""Pearson's chi-square tests on counts of categories."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from ml_orchestrator.numerics.binning import PairedCounts

__all__ = ["ChiSquare", "chi_square_fit", "chi_square_homogeneity"]


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Result of a chi-square test.

    ``smallest_expected`` is the least count that was expected in a cell; below 5 the p value is
    only rough.
    """

    statistic: float
    p_value: float
    degrees_of_freedom: int
    smallest_expected: float


def chi_square_homogeneity(counts: PairedCounts) -> ChiSquare:
    """Test whether two samples of categories come from one distribution.

    Both samples are taken as random: the expected counts come from the pooled shares, with
    ``n_cells - 1`` degrees of freedom and no continuity correction. Equal to scipy's
    ``chi2_contingency(correction=False)``; with two categories also to the two-sided z test of
    two proportions with pooled variance.

    Missing values and ties do not enter: the input are counts. A category unseen on one side
    counts zero there. One category in all gives statistic 0 and p 1. Sizes may differ. Symmetric.

    References:
        K. Pearson, "On the probability that two distributions of frequency are really samples
        from the same population", Biometrika 8 (1911).

    >>> counts = PairedCounts(np.array([10, 20]), np.array([20, 10]))
    >>> round(chi_square_homogeneity(counts).statistic, 4)
    6.6667
    """
    observed = np.stack([counts.reference, counts.current]).astype(np.float64)
    observed = observed[:, observed.sum(axis=0) > 0]
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    return _result(statistic, observed.shape[1] - 1, float(expected.min()))


def chi_square_fit(counts: PairedCounts) -> ChiSquare:
    """Test whether the current sample follows the shares of the reference, taken as known.

    The expected counts are the reference's, scaled to the size of the current sample, with
    ``n_cells - 1`` degrees of freedom: scipy's ``chisquare`` as Evidently calls it. Because the
    chance variation of the reference is left out, it rejects too often unless the reference is
    far larger than the current sample; `chi_square_homogeneity` does not.

    Missing values and ties do not enter: the input are counts. A category unseen in the
    reference gives an infinite statistic and p 0. One category in all gives statistic 0 and p 1.
    Sizes may differ. Not symmetric.

    References:
        K. Pearson, "On the criterion that a given system of deviations ... can be reasonably
        supposed to have arisen from random sampling", Philosophical Magazine 50 (1900).

    >>> counts = PairedCounts(np.array([10, 10]), np.array([30, 10]))
    >>> chi_square_fit(counts).statistic
    10.0
    """
    is_present = counts.reference + counts.current > 0
    observed = counts.current[is_present].astype(np.float64)
    expected = counts.reference[is_present] * (counts.current.sum() / counts.reference.sum())
    smallest = float(expected.min())
    if smallest == 0:
        return _result(float("inf"), observed.size - 1, smallest)
    return _result(
        float(np.sum((observed - expected) ** 2 / expected)), observed.size - 1, smallest
    )


def _result(statistic: float, degrees: int, smallest_expected: float) -> ChiSquare:
    p_value = float(chdtrc(degrees, statistic)) if degrees > 0 else 1.0
    return ChiSquare(statistic, p_value, degrees, smallest_expected)
