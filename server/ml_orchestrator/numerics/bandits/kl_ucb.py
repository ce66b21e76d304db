"""KL-UCB: the arm whose mean may be the highest, by the Bernoulli divergence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["KlUcb", "upper_means"]

N_HALVINGS = 32
EDGE = 1e-12


class KlUcb:
    """Takes the arm with the highest upper confidence bound of its mean; untried arms first.

    Args:
        n_arms: at least 1.
        discount: what a reward still counts one update later, above 0 up to 1.

    References:
        A. Garivier, O. Cappé, "The KL-UCB algorithm for bounded stochastic bandits and beyond",
        COLT 2011; with c = 0, as its authors recommend.

    >>> policy = KlUcb(2)
    >>> policy.update(0, 0.0)
    >>> policy.choose()
    1
    """

    def __init__(self, n_arms: int, *, discount: float = 1.0) -> None:
        if n_arms < 1 or not 0 < discount <= 1:
            raise InvalidInputError(
                "KL-UCB needs at least one arm and a discount above 0, at most 1; "
                f"found {n_arms} and {discount}."
            )
        self._discount = discount
        self._n = np.zeros(n_arms)
        self._sums = np.zeros(n_arms)

    def choose(self) -> int:
        """Return the arm of the highest bound, the first of equals."""
        return int(upper_means(self._sums, self._n).argmax())

    def update(self, arm: int, reward: float) -> None:
        """Learn that ``arm`` gave ``reward``, from 0 to 1."""
        if not 0 <= reward <= 1:
            raise InvalidInputError(f"A reward must lie in 0..1; found {reward}.")
        if self._discount < 1:
            self._n *= self._discount
            self._sums *= self._discount
        self._n[arm] += 1
        self._sums[arm] += reward


def upper_means(sums: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    """Return the largest mean of each arm that its rewards do not speak against.

    That is the largest q with ``n kl(mean, q) <= log(sum of n)``, and 1 without a reward.

    Args:
        sums: shape ``(n_arms,)``, sums of rewards in [0, 1].
        n: shape ``(n_arms,)``, how many there were; may be fractions.

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
