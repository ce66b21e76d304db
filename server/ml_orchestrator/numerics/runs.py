"""Whether values stand in an order that chance would leave: the test of too few runs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, logsumexp

from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["few_runs_p_value"]


def few_runs_p_value(values: ArrayLike) -> float:
    """Return the chance that values in random order form no more runs than these.

    A run is a stretch of values on one side of the median, which of 0/1 values are stretches of
    one value. Exact, given how many stand on either side; 1 where all are alike. Small where
    values are sorted, or drift far.

    Args:
        values: shape ``(n,)``, in order.

    Raises:
        InvalidInputError: there is none, or one is NaN or an infinity.

    References:
        A. Wald, J. Wolfowitz, "On a test whether two samples are from the same population",
        Annals of Mathematical Statistics 11 (1940).

    >>> round(few_runs_p_value([0, 0, 0, 1, 1, 1]), 3), round(few_runs_p_value([0, 1, 0, 1]), 3)
    (0.1, 1.0)
    """
    x = finite_sample(values, "values")
    middle = float(np.median(x))
    is_far = x > middle if (x > middle).any() else x < middle
    n_far = int(is_far.sum())
    n_near = x.size - n_far
    if min(n_far, n_near) == 0:
        return 1.0
    n_runs = 1 + int(np.count_nonzero(is_far[1:] != is_far[:-1]))
    runs = np.arange(2, n_runs + 1)
    low, high = runs // 2, (runs + 1) // 2  # runs of one side, and of the other
    ways = np.logaddexp(
        _log_ways(n_far, low) + _log_ways(n_near, high),
        _log_ways(n_far, high) + _log_ways(n_near, low),
    )
    total = _log_choose(np.array([x.size]), np.array([n_far]))[0]
    return float(min(1.0, np.exp(logsumexp(ways) - total)))


def _log_ways(n: int, n_runs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log of in how many ways ``n`` values form so many runs."""
    found = np.full(n_runs.size, -np.inf)
    is_possible = n_runs <= n
    found[is_possible] = _log_choose(np.full(n_runs.size, n - 1), n_runs - 1)[is_possible]
    return found


def _log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = -np.log1p(n) - betaln(n - np.minimum(k, n) + 1, k + 1)
    return found
