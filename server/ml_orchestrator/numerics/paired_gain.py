"""The mean gain of pairs: an interval, and a test that assumes no distribution."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["PairedGain", "paired_gain"]

N_EXACT = 12  # pairs up to which every assignment of signs is looked at
N_DRAWS = 9_999
PART = 1_000  # draws at a time, for the sake of memory


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

    The interval is Student's after one more pair for and one against, each as large as the largest
    seen (for wins and losses: Agresti and Min's), so that few equal pairs do not make it vanish;
    where all pairs are equal it is as if one of them could have differed by 1. It is cut at -1 and
    1, beyond which no difference can lie. The p value is that
    of random signs: exact up to 12 pairs, else by 9,999 draws from ``seed``.

    Args:
        differences: shape ``(n_pairs,)``, new minus old, on a scale of 0 to 1.
        alpha: error rate of the interval, above 0 and below 1.
        seed: of the draws.

    Raises:
        InvalidInputError: fewer than two pairs, NaN, an infinity, or an ``alpha`` outside.

    References:
        A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched
        proportions", Statistics in Medicine 24 (2005).
        E. J. G. Pitman, "Significance tests which may be applied to samples from any populations",
        Supplement to the Journal of the Royal Statistical Society 4 (1937).

    >>> round(paired_gain([1, 1, 0, 1, 0, 1, 1, 0]).p_value, 4)
    0.0312
    """
    d = finite_sample(differences, "differences", n_least=2)
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; it is {alpha}.")
    n, largest = d.size, float(np.abs(d).max()) or 1.0
    centre = d.sum() / (n + 2)
    variance = (np.square(d).sum() + largest**2) / (n + 2) - centre**2
    reach = float(-stdtrit(n - 1, alpha / 2)) * float(np.sqrt(variance / (n + 2)))
    mean = float(d.mean())
    return PairedGain(
        n=n,
        mean=mean,
        low=max(-1.0, min(mean, float(centre) - reach)),
        high=min(1.0, max(mean, float(centre) + reach)),
        p_value=_by_signs(d, seed),
    )


def _by_signs(d: NDArray[np.float64], seed: int) -> float:
    total = float(d.sum()) - 1e-12 * float(np.abs(d).sum())
    if d.size <= N_EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=d.size)))
        return float(np.mean(signs @ d >= total))
    rng = np.random.default_rng(seed)
    parts = [min(PART, N_DRAWS - start) for start in range(0, N_DRAWS, PART)]
    n_as_large = sum(
        int(np.count_nonzero(rng.choice((1.0, -1.0), size=(part, d.size)) @ d >= total))
        for part in parts
    )
    return (1 + n_as_large) / (N_DRAWS + 1)
