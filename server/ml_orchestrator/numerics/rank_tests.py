"""Whether values of one sample tend to be larger: Mann and Whitney's effect with its test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit
from scipy.stats import rankdata

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Superiority", "mann_whitney"]


@dataclass(frozen=True, slots=True)
class Superiority:
    """How often a value of the second sample is larger than one of the first.

    Attributes:
        probability: that it is larger, ties counted half; 0.5 is no tendency.
        low: lower end of the interval.
        high: upper end.
        p_value: two-sided, of the hypothesis that there is no tendency.
    """

    probability: float
    low: float
    high: float
    p_value: float


def mann_whitney(first: ArrayLike, second: ArrayLike, *, alpha: float) -> Superiority:
    """Test whether values of either sample tend to be larger, and measure the tendency.

    Test and interval are Brunner and Munzel's, which need no equal shapes; the p value equals
    scipy's ``brunnermunzel``, and is below alpha exactly when the interval, cut at 0 and 1, leaves
    0.5 out. Wilcoxon's test asks for equal distributions, and finds unequal spreads too. With
    five values in each sample it is wrong in 7 to 8 % instead of 5 %, with fifteen no more.
    Samples that do not overlap leave no variance; both are then those of as many independent
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
    error = float(np.sqrt(spread_x + spread_y))
    if error == 0:
        return _without_spread(probability, min(x.size, y.size), alpha)
    degrees = error**4 / (spread_x**2 / (x.size - 1) + spread_y**2 / (y.size - 1))
    half = float(-stdtrit(degrees, alpha / 2)) * error
    p_value = float(2 * stdtr(degrees, -abs(probability - 0.5) / error))
    return Superiority(
        probability, max(0.0, probability - half), min(1.0, probability + half), p_value
    )


def _without_spread(probability: float, n_pairs: int, alpha: float) -> Superiority:
    """Return the sign test of pairs that all went one way with Clopper and Pearson's interval.

    Complete separation makes the i-th value of one sample beat the i-th of the other each time.
    Of ties alone nothing is known.
    """
    if probability not in (0.0, 1.0):
        return Superiority(probability, 0.0, 1.0, 1.0)
    edge = float((alpha / 2) ** (1 / n_pairs))
    low, high = (edge, 1.0) if probability == 1 else (0.0, 1 - edge)
    return Superiority(probability, low, high, 2 * 0.5**n_pairs)
