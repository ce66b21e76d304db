"""Bootstrap intervals of a difference of means."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["bca_interval"]

MOST_VALUES = 50_000
BLOCK_VALUES = 2_000_000


def bca_interval(
    first: ArrayLike,
    second: ArrayLike,
    *,
    alpha: float,
    rng: np.random.Generator,
    n_draws: int = 2_000,
) -> tuple[float, float]:
    """Return the BCa interval of ``mean(second) - mean(first)``, which follows skewness.

    By scipy's ``bootstrap``. Each sample is drawn anew with replacement.

    Args:
        first: shape ``(n,)``, 2 to 50,000 values.
        second: shape ``(m,)``, likewise.
        alpha: the interval holds at about ``1 - alpha``.
        rng: draws the samples.
        n_draws: how many.

    Raises:
        InvalidInputError: a sample is too small or too large, or holds NaN or an infinity.

    References:
        B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987).

    >>> low, high = bca_interval(
    ...     [1.0, 2.0, 4.0], [5.0, 6.0, 9.0], alpha=0.05, rng=np.random.default_rng(0)
    ... )
    >>> low < 4.33 < high
    True
    """
    x, y = finite_sample(first, "first", n_least=2), finite_sample(second, "second", n_least=2)
    if max(x.size, y.size) > MOST_VALUES:
        raise InvalidInputError(
            f"The bootstrap takes at most {MOST_VALUES:,} values an arm; found "
            f"{max(x.size, y.size):,}. With so many, welch gives the same interval at once."
        )
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        gap = float(y.mean() - x.mean())
        return gap, gap
    found = bootstrap(
        (x, y),
        _difference,
        n_resamples=n_draws,
        batch=max(1, BLOCK_VALUES // (x.size + y.size)),
        confidence_level=1 - alpha,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return float(found.low), float(found.high)


def _difference(
    x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    gap: NDArray[np.float64] = np.mean(y, axis=axis) - np.mean(x, axis=axis)
    return gap
