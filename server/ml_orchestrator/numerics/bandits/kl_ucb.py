"""KL-UCB: the arm whose mean may be the highest, by the Bernoulli divergence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["upper_means"]

N_HALVINGS = 32
EDGE = 1e-12


def upper_means(sums: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    """Return the largest mean of each arm that its rewards do not speak against.

    That is the largest q with ``n kl(mean, q) <= log(sum of n)``, and 1 without a reward.

    Args:
        sums: shape ``(n_arms,)``, sums of rewards in [0, 1].
        n: shape ``(n_arms,)``, how many there were; may be fractions.

    References:
        A. Garivier, O. Cappé, "The KL-UCB algorithm for bounded stochastic bandits and beyond",
        COLT 2011; with c = 0, as its authors recommend.

    >>> upper_means([5.0, 0.0], [10.0, 0.0]).round(3).tolist()
    [0.804, 1.0]
    """
    tried = np.asarray(n, dtype=np.float64)
    total = max(float(tried.sum()), 1.0)
    safe = np.maximum(tried, EDGE)
    mean = np.clip(np.asarray(sums, dtype=np.float64) / safe, 0.0, 1.0)
    budget = np.log(total) / safe
    low, high = mean.copy(), np.ones_like(mean)
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        fits = _divergence(mean, middle) <= budget
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.where(tried > 0, low, 1.0)


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    p, q = np.clip(p, EDGE, 1 - EDGE), np.clip(q, EDGE, 1 - EDGE)
    return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
