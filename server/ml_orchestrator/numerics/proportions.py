"""Comparing two proportions by the score test, and the interval that agrees with it."""

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ml_orchestrator.errors import InvalidInputError

__all__ = ["Successes", "score_interval", "score_p_value", "score_statistic"]

TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Successes:
    """How many of ``n`` trials succeeded.

    Raises:
        InvalidInputError: no trial, or more successes than trials.
    """

    successes: int
    n: int

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 <= self.successes <= self.n:
            raise InvalidInputError(
                f"Successes must lie in 0..n with n at least 1; found {self.successes} of {self.n}."
            )

    @property
    def rate(self) -> float:
        """Share of successes."""
        return self.successes / self.n


def score_statistic(first: Successes, second: Successes, null: float = 0.0) -> float:
    """Return the z of the hypothesis that ``second - first`` equals ``null``.

    The variance is that of the likeliest rates whose difference is ``null``. With ``null`` 0
    that is the pooled rate, and the square is Pearson's chi-square without correction. (For
    another ``null`` statsmodels 0.15 solves an equation in which a count stands for a number of
    trials; ours is the maximum of the likelihood.) 0 where nothing varies and the rates agree
    with the null.

    References:
        O. Miettinen, M. Nurminen, "Comparative analysis of two rates", Statistics in Medicine 4
        (1985), without their factor n / (n - 1).

    >>> round(score_statistic(Successes(40, 100), Successes(55, 100)), 4)
    2.124
    """
    gap = second.rate - first.rate - null
    p = _likeliest_first(first, second, null)
    q = min(1.0, max(0.0, p + null))
    variance = max(0.0, p * (1 - p)) / first.n + q * (1 - q) / second.n
    if variance <= TOLERANCE**2:
        return 0.0 if abs(gap) <= TOLERANCE else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def score_p_value(first: Successes, second: Successes, null: float = 0.0) -> float:
    """Return the two-sided p value of `score_statistic`.

    >>> round(score_p_value(Successes(40, 100), Successes(55, 100)), 4)
    0.0337
    """
    return float(2 * ndtr(-abs(score_statistic(first, second, null))))


def score_interval(first: Successes, second: Successes, *, alpha: float) -> tuple[float, float]:
    """Return the differences that the score test does not reject at ``alpha``.

    It leaves 0 out exactly when the p value is below alpha, and stays within -1 and 1.

    >>> [round(x, 4) for x in score_interval(Successes(40, 100), Successes(55, 100), alpha=0.05)]
    [0.0116, 0.2828]
    """
    critical = float(-ndtri(alpha / 2))
    middle, edge = second.rate - first.rate, 1 - TOLERANCE

    def beyond(null: float) -> float:
        z = score_statistic(first, second, null)
        return max(-1e9, min(1e9, z))

    def upper(null: float) -> float:
        return beyond(null) + critical

    def lower(null: float) -> float:
        return beyond(null) - critical

    low = -1.0 if lower(-edge) <= 0 else float(brentq(lower, -edge, middle, xtol=TOLERANCE))
    high = 1.0 if upper(edge) >= 0 else float(brentq(upper, middle, edge, xtol=TOLERANCE))
    return low, high


def _likeliest_first(first: Successes, second: Successes, null: float) -> float:
    """Return the likeliest rate of the first arm given the difference: a root of a cubic."""
    n, total = first.n + second.n, first.successes + second.successes
    if null == 0:
        return total / n
    a = n
    b = (second.n + 2 * first.n) * null - n - total
    c = (first.n * null - n - 2 * first.successes) * null + total
    d = first.successes * null * (1 - null)
    b, c, d = b / a, c / a, d / a
    v = (b / 3) ** 3 - b * c / 6 + d / 2
    squared = b * b / 9 - c / 3
    u = math.copysign(math.sqrt(max(0.0, squared)), v)
    cosine = 1.0 if u == 0 else max(-1.0, min(1.0, v / u**3))
    angle = (math.pi + math.acos(cosine)) / 3
    root = 2 * u * math.cos(angle) - b / 3
    return min(1.0 - max(0.0, null), max(0.0, -min(0.0, null), root))
