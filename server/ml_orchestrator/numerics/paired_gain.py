"""The mean gain of pairs: an interval and a test that hold for few, even and skewed gains."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["MOST_NEEDED", "PairedGain", "least_pairs", "paired_gain", "pairs_needed"]

N_EXACT = 500  # pairs up to which chances are worked out; beyond they are drawn
N_DRAWS = 9_999
PART = 1_000  # draws at a time, for the sake of memory
N_HALVINGS = 30
MOST_NEEDED = 500  # pairs up to which it is said how many it takes
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class PairedGain:
    """A mean difference of pairs.

    Attributes:
        n: pairs.
        mean: mean difference.
        low: lower end of its interval.
        high: upper end.
        p_value: of no gain against a gain, one-sided.
    """

    n: int
    mean: float
    low: float
    high: float
    p_value: float


def paired_gain(differences: ArrayLike, *, alpha: float = 0.05, seed: int = 0) -> PairedGain:
    """Return the mean of ``differences``, its interval at ``1 - alpha`` and its test.

    Both are Gaffke's for a mean within bounds: one more pair that lost all there is, -1, is put
    beside those seen, and all are weighed at random, uniformly over all weights that sum to 1. The
    p value is the chance that the weighted mean is 0 or less; ``low`` is where that chance reaches
    ``alpha / 2``, and ``high`` the same with a pair of +1. So small gains in every pair say little
    as long as one large loss could be among those not seen. For wins and losses (-1 and 1) this is
    the exact binomial test with Clopper's and Pearson's interval, so its errors are at most those
    asked for; for other differences that is a conjecture without a known exception. Up to 500
    pairs chances are exact, beyond by 9,999 draws from ``seed``.

    Args:
        differences: shape ``(n_pairs,)``, new minus old of scores from 0 to 1, so from -1 to 1.
        alpha: error rate of the interval, above 0 and below 1.
        seed: of the draws.

    Raises:
        InvalidInputError: fewer than two pairs, NaN, an infinity, a difference beyond -1 and 1, or
            an ``alpha`` outside.

    References:
        N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
        nonnegative variable", Mathematical Methods of Statistics 14 (2005).
        M. Phan, P. Thomas, E. Learned-Miller, "Towards practical mean bounds for small samples",
        ICML (2021), which compares it with other bounds.

    >>> paired_gain([1, 1, 1, 1, 1, 1]).p_value == 0.5**6
    True
    >>> round(paired_gain([0.1] * 6).p_value, 2)
    0.56
    """
    d = finite_sample(differences, "differences", n_least=2)
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; it is {alpha}.")
    if (largest := float(np.abs(d).max())) > 1 + _ROUNDING:
        raise InvalidInputError(
            f"Differences of scores from 0 to 1 lie between -1 and 1; one is {largest:g} in size. "
            "Put scores on a scale of 0 to 1 first."
        )
    d = np.clip(d, -1.0, 1.0)
    mean = float(d.mean())
    below, above = _chances(d, seed), _chances(-d, seed)
    return PairedGain(
        n=d.size,
        mean=mean,
        low=min(mean, _crossing(below, mean, alpha / 2)),
        high=max(mean, -_crossing(above, -mean, alpha / 2)),
        p_value=below(0.0),
    )


def least_pairs(alpha: float = 0.05) -> int:
    """Return how many pairs it takes at least to confirm any gain, be each as large as can be.

    >>> least_pairs()
    6
    """
    return math.floor(math.log2(2 / alpha)) + 1


def pairs_needed(differences: ArrayLike, *, alpha: float = 0.05) -> int | None:
    """Return about how many pairs like these would confirm a gain; None: over 500, or no gain.

    "Like these" are the quantiles of what was seen, so it is as uncertain as that.

    Args:
        differences: shape ``(n_pairs,)``, from -1 to 1.
        alpha: error rate of the two-sided interval.

    Raises:
        InvalidInputError: as by ``paired_gain``.

    >>> pairs_needed([1.0] * 3), pairs_needed([0.1] * 6), pairs_needed([0.0] * 6)
    (6, 39, None)
    """
    d = finite_sample(differences, "differences", n_least=2)

    def confirms(n: int) -> bool:
        wanted = np.quantile(d, (np.arange(n) + 0.5) / n)
        return _chances(wanted, 0)(0.0) < alpha / 2

    few, many = 1, MOST_NEEDED
    if d.mean() <= 0 or not confirms(many):
        return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if confirms(middle) else (middle, many)
    return many


def _chances(d: NDArray[np.float64], seed: int) -> Callable[[float], float]:
    """Return the function of ``x``: the chance that the randomly weighted mean is at most ``x``."""
    values = np.append(d, -1.0)
    if d.size <= N_EXACT:
        return lambda x: _race(values - x)
    drawn = _drawn_means(values, seed)
    return lambda x: (1 + int(np.searchsorted(drawn, x, side="right"))) / (N_DRAWS + 1)


def _race(shifted: NDArray[np.float64]) -> float:
    """Return the chance that ``sum(shifted * weights)`` is 0 or less.

    Weights are exponential lifetimes, which is uniform but for their sum. So the values above 0
    and those below are two rows of lamps that burn one after another, and the chance is that the
    upper row is out first. Of the lamp that burns in either row one goes out first, by the odds of
    their means, and the other is as new: one step in a table of lamps left, ``(n_above, n_below)``.
    """
    above, below = shifted[shifted > _ROUNDING], -shifted[shifted < -_ROUNDING]
    if not above.size or not below.size:
        return float(not above.size)
    n_above, n_below = above.size, below.size
    chances = np.zeros(n_above + 1)  # by lamps left above, where so many are left in all
    chances[0] = 1.0
    for n_left in range(2, n_above + n_below + 1):
        first, last = max(1, n_left - n_below), min(n_above, n_left - 1)
        one, other = above[first - 1 : last], below[n_left - last - 1 : n_left - first][::-1]
        odds = other / (one + other)  # that the one above goes out first
        chances[first : last + 1] = (
            odds * chances[first - 1 : last] + (1 - odds) * chances[first : last + 1]
        )
    return float(chances[-1])


def _drawn_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, N_DRAWS, PART):
        weights = rng.exponential(size=(min(PART, N_DRAWS - start), values.size))
        parts.append(weights @ values / weights.sum(axis=1))
    return np.sort(np.concatenate(parts))


def _crossing(chance: Callable[[float], float], most: float, level: float) -> float:
    """Return the largest ``x`` up to ``most`` at which the chance is at most ``level``."""
    low, high = -1.0, most
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) <= level else (low, middle)
    return low
