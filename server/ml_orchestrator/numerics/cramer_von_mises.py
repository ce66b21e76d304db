"""The two-sample Cramér-von Mises test."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, kve
from scipy.stats import cramervonmises_2samp

from ml_orchestrator.numerics.ecdf import JointEcdf, joint_ecdf
from ml_orchestrator.numerics.samples import SampleLike, SortedSample, sorted_sample

__all__ = ["CramerVonMises", "cramer_von_mises"]

LARGEST_EXACT_SAMPLE = 20
N_TERMS = 30
CERTAIN_BELOW = 0.003  # of the limiting variable: a chance of less than 1e-10 to be below


@dataclass(frozen=True, slots=True)
class CramerVonMises:
    """Result of the test: the mean squared gap of the distribution functions, and its p value."""

    statistic: float
    p_value: float


def cramer_von_mises(x: SampleLike, y: SampleLike) -> CramerVonMises:
    """Test whether two samples come from one continuous distribution.

    The statistic is ``n_x n_y / N^2`` times the sum, over all ``N`` values, of the squared gap of
    the distribution functions: against Kolmogorov-Smirnov it adds gaps up instead of taking the
    largest. The p value is exact when neither sample exceeds 20 values and none is tied, and
    otherwise the asymptotic one with the moments for these sizes. Without ties both are those of
    scipy's ``cramervonmises_2samp`` to 1e-12.

    Missing values: refused; remove them first. Ties: the gap counts where a value is complete, so
    equal samples give 0 and p 1, whatever is tied; scipy 1.17 takes middle ranks instead, by which
    even two equal constants differ. Sizes may differ. Symmetric.

    Args:
        x: first sample, shape ``(n_x,)``, at least 2 values.
        y: second sample, shape ``(n_y,)``, at least 2 values.

    Raises:
        InvalidInputError: a sample has fewer than 2 values or is not finite.

    References:
        T. W. Anderson, "On the distribution of the two-sample Cramér-von Mises criterion", Annals
        of Mathematical Statistics 33 (1962). S. Csörgő, J. J. Faraway, "The exact and asymptotic
        distributions of Cramér-von Mises statistics", Journal of the Royal Statistical Society B
        58 (1996).

    >>> round(cramer_von_mises([1, 2, 3], [4, 5, 6]).p_value, 9)
    0.1
    """
    first, second = sorted_sample(x, "x", n_least=2), sorted_sample(y, "y", n_least=2)
    joint = joint_ecdf(SortedSample(first), SortedSample(second))
    statistic = _statistic(joint)
    is_small = max(joint.n_x, joint.n_y) <= LARGEST_EXACT_SAMPLE
    if is_small and joint.is_last.all():
        exact = cramervonmises_2samp(first, second, method="exact")
        return CramerVonMises(statistic, float(exact.pvalue))
    return CramerVonMises(statistic, _asymptotic_p_value(statistic, joint.n_x, joint.n_y))


def _statistic(joint: JointEcdf) -> float:
    last = np.flatnonzero(joint.is_last)
    n_tied = np.diff(last, prepend=-1)
    gaps = joint.n_x_below[last] / joint.n_x - joint.n_y_below[last] / joint.n_y
    n = joint.n_x + joint.n_y
    return float(joint.n_x * joint.n_y / n**2 * np.sum(n_tied * gaps**2))


def _asymptotic_p_value(statistic: float, n_x: int, n_y: int) -> float:
    n, product = n_x + n_y, n_x * n_y
    mean = (1 + 1 / n) / 6
    spread = (n + 1) * (4 * product * n - 3 * (n_x**2 + n_y**2) - 2 * product)
    variance = spread / (45 * n**2 * 4 * product)
    limiting = 1 / 6 + (statistic - mean) / math.sqrt(45 * variance)
    if limiting < CERTAIN_BELOW:
        return 1.0
    return min(max(1 - _limiting_cdf(limiting), 0.0), 1.0)


def _limiting_cdf(z: float) -> float:
    k = np.arange(N_TERMS)
    q = (4 * k + 1) ** 2 / (16 * z)
    weights = np.exp(gammaln(k + 0.5) - gammaln(k + 1) - 2 * q) * np.sqrt(4 * k + 1)
    return float(np.sum(weights * kve(0.25, q)) / (math.pi**1.5 * math.sqrt(z)))
