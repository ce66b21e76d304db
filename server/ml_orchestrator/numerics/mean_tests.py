"""Comparing two means by Student's and Welch's t test, from values or from their moments."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = [
    "Difference",
    "SampleMean",
    "fieller_interval",
    "is_rounding",
    "sample_mean",
    "student_t",
    "welch_t",
    "without_rounding",
]

ALIKE = 1e-12  # of the largest value: what rounding alone makes of values that are all alike


@dataclass(frozen=True, slots=True)
class SampleMean:
    """A mean and how sure it is.

    Attributes:
        n: independent units it rests on: rows, or clusters of rows.
        mean: the mean.
        variance: of the mean (not of the values): the squared standard error.
        n_even: how many clusters of one size would weigh as much; None where sizes are equal.
    """

    n: int
    mean: float
    variance: float
    n_even: float | None = field(default=None, repr=False)

    @property
    def n_effective(self) -> float:
        """Units that count, for degrees of freedom: `n_even`, at least 2, or all."""
        return self.n if self.n_even is None else max(2.0, self.n_even)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two means, second minus first.

    ``degrees_of_freedom`` may be infinite: the normal distribution.
    """

    estimate: float
    standard_error: float
    degrees_of_freedom: float

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p value of the hypothesis that the difference is ``null``."""
        return min(1.0, 2 * self.p_above(null + 2 * max(0.0, self.estimate - null)))

    def p_below(self, null: float) -> float:
        """Return the p value of the hypothesis that the difference is at most ``null``."""
        return 1.0 - self.p_above(null)

    def p_above(self, null: float) -> float:
        """Return the p value of the hypothesis that the difference is at least ``null``."""
        gap = self.estimate - null
        if self.standard_error == 0:
            return 0.5 if gap == 0 else float(gap > 0)
        return float(stdtr(self.degrees_of_freedom, gap / self.standard_error))

    def critical(self, alpha: float) -> float:
        """Return how many standard errors a two-sided interval at ``1 - alpha`` reaches."""
        return float(-stdtrit(self.degrees_of_freedom, alpha / 2))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the two-sided interval at level ``1 - alpha``."""
        half = self.critical(alpha) * self.standard_error
        return self.estimate - half, self.estimate + half


def sample_mean(values: ArrayLike, name: str = "values") -> SampleMean:
    """Return the mean of independent values, shape ``(n,)``, and its variance.

    Raises:
        InvalidInputError: fewer than two values, or one is NaN or infinite.

    >>> sample_mean([1.0, 2.0, 3.0]).mean
    2.0
    """
    x = finite_sample(values, name, n_least=2)
    return without_rounding(SampleMean(x.size, float(x.mean()), float(x.var(ddof=1) / x.size)), x)


def is_rounding(size: float, scale: float) -> bool:
    """Whether a size is at most what rounding makes of numbers as large as ``scale``.

    >>> is_rounding(0.1 + 0.2 - 0.3, 0.3), is_rounding(1e-9, 0.3)
    (True, False)
    """
    return abs(size) <= ALIKE * abs(scale)


def without_rounding(sample: SampleMean, values: NDArray[np.float64]) -> SampleMean:
    """Return the mean with variance 0, and exact, where the values differ by rounding alone.

    The mean of three times 0.1 is not 0.1 in floating point, so they would have a variance.

    Args:
        sample: mean of the values, rows or clusters of them.
        values: shape ``(n_rows,)``, finite.

    >>> without_rounding(SampleMean(3, 0.1 + 2e-17, 1e-34), np.array([0.1, 0.1, 0.1]))
    SampleMean(n=3, mean=0.1, variance=0.0)
    """
    if not is_rounding(math.sqrt(sample.variance * sample.n), float(np.abs(values).max())):
        return sample
    mean = float(values[0]) if np.ptp(values) == 0 else sample.mean
    return replace(sample, mean=mean, variance=0.0)


def welch_t(first: SampleMean, second: SampleMean) -> Difference:
    """Return the difference of means when the variances may differ.

    Degrees of freedom by Welch and Satterthwaite, from `SampleMean.n_effective`. Equal to scipy's
    ``ttest_ind(equal_var=False)``. Without any spread the standard error is 0.

    References:
        B. L. Welch, "The generalization of Student's problem when several different population
        variances are involved", Biometrika 34 (1947).

    >>> found = welch_t(SampleMean(10, 1.0, 0.1), SampleMean(10, 2.0, 0.1))
    >>> found.estimate, round(found.p_value(), 4)
    (1.0, 0.0382)
    """
    _check(first, second)
    variance = first.variance + second.variance
    if variance == 0:
        return Difference(second.mean - first.mean, 0.0, math.inf)
    parts = sum(s.variance**2 / (s.n_effective - 1) for s in (first, second))
    degrees = math.inf if parts == 0 else variance**2 / parts
    return Difference(second.mean - first.mean, math.sqrt(variance), degrees)


def student_t(first: SampleMean, second: SampleMean) -> Difference:
    """Return the difference of means when both samples have one variance.

    Equal to scipy's ``ttest_ind``. If the variances and the sizes differ, its error rate is
    wrong; `welch_t` is then the test.

    References:
        Student, "The probable error of a mean", Biometrika 6 (1908).

    >>> round(student_t(SampleMean(5, 0.0, 0.2), SampleMean(5, 1.5, 0.2)).p_value(), 4)
    0.0451
    """
    _check(first, second)
    degrees = first.n + second.n - 2
    squares = sum(s.variance * s.n * (s.n - 1) for s in (first, second))
    variance = squares / degrees * (1 / first.n + 1 / second.n)
    return Difference(second.mean - first.mean, math.sqrt(variance), float(degrees))


def fieller_interval(
    first: SampleMean, second: SampleMean, critical: float
) -> tuple[float, float] | None:
    """Return the interval of the ratio ``second / first`` of two independent means.

    It holds 1 exactly when an interval of the difference with the same ``critical`` (in standard
    errors) holds 0. None where the first mean is not clearly off 0: the ratio is then unbounded.

    References:
        E. C. Fieller, "Some problems in interval estimation", JRSS B 16 (1954).

    >>> low, high = fieller_interval(SampleMean(9, 2.0, 0.01), SampleMean(9, 2.2, 0.01), 2.0)
    >>> round(low, 3), round(high, 3)
    (0.961, 1.261)
    """
    squared = critical**2
    a = first.mean**2 - squared * first.variance
    if a <= 0:
        return None
    b = first.mean * second.mean
    c = second.mean**2 - squared * second.variance
    root = math.sqrt(max(0.0, b * b - a * c))
    return (b - root) / a, (b + root) / a


def _check(*samples: SampleMean) -> None:
    for sample in samples:
        is_odd = not (np.isfinite(sample.mean) and np.isfinite(sample.variance))
        if sample.n < 2 or is_odd or sample.variance < 0:
            raise InvalidInputError(
                "A mean to compare needs at least 2 values and a variance of at least 0; found "
                f"n = {sample.n}, mean {sample.mean}, variance {sample.variance}."
            )
