"""Whether values of one sample tend to be larger: Mann and Whitney's test with its effect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from scipy.stats import mannwhitneyu, rankdata

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Superiority", "mann_whitney"]


@dataclass(frozen=True, slots=True)
class Superiority:
    """How often a value of the second sample is larger than one of the first.

    Attributes:
        probability: that it is larger, ties counted half; 0.5 is no tendency.
        low: lower end of the interval.
        high: upper end.
        p_value: two-sided, of the hypothesis that both samples come from one distribution.
    """

    probability: float
    low: float
    high: float
    p_value: float


def mann_whitney(first: ArrayLike, second: ArrayLike, *, alpha: float) -> Superiority:
    """Test whether two samples come from one distribution, and measure the tendency.

    The p value equals scipy's ``mannwhitneyu`` (exact for small samples without ties). The
    interval is Brunner and Munzel's, which needs no equal shapes, cut at 0 and 1; it can
    disagree with the test near its edge, because the test asks more (equal distributions).
    Samples that do not overlap leave it no variance; it is then that of as many independent
    pairs as the smaller sample has values, which all went one way.

    Args:
        first: shape ``(n,)``, n at least 2.
        second: shape ``(m,)``, m at least 2.
        alpha: the interval holds at ``1 - alpha``.

    Raises:
        InvalidInputError: a sample is too small, or holds NaN or an infinity.

    References:
        E. Brunner, U. Munzel, "The nonparametric Behrens-Fisher problem", Biometrical Journal 42
        (2000).

    >>> mann_whitney([1.0, 2.0, 3.0], [2.5, 3.5, 4.5], alpha=0.05).probability.__round__(4)
    0.8889
    """
    x, y = finite_sample(first, "first", n_least=2), finite_sample(second, "second", n_least=2)
    together = rankdata(np.concatenate([x, y]))
    ranks_x, ranks_y = together[: x.size], together[x.size :]
    placed_x, placed_y = ranks_x - rankdata(x), ranks_y - rankdata(y)
    probability = float(placed_y.mean() / x.size)
    spread_x = float(placed_x.var(ddof=1)) / y.size**2 / x.size
    spread_y = float(placed_y.var(ddof=1)) / x.size**2 / y.size
    p_value = float(mannwhitneyu(x, y, alternative="two-sided").pvalue)
    p_value = 1.0 if np.isnan(p_value) else p_value  # all values equal
    if spread_x + spread_y == 0:
        low, high = _without_spread(probability, min(x.size, y.size), alpha)
        return Superiority(probability, low, high, p_value)
    half = _half_width(spread_x, spread_y, x.size, y.size, alpha)
    return Superiority(
        probability, max(0.0, probability - half), min(1.0, probability + half), p_value
    )


def _half_width(a: float, b: float, n: int, m: int, alpha: float) -> float:
    degrees = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    return float(-stdtrit(degrees, alpha / 2) * np.sqrt(a + b))


def _without_spread(probability: float, n_pairs: int, alpha: float) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of pairs that all went one way; all, for only ties.

    Complete separation makes the i-th value of one sample beat the i-th of the other each time.
    """
    edge = float((alpha / 2) ** (1 / n_pairs))
    if probability == 1:
        return edge, 1.0
    return (0.0, 1 - edge) if probability == 0 else (0.0, 1.0)
