"""Thompson sampling of rewards in [0, 1], with Beta beliefs that may fade."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["BetaThompson", "chances_of_best"]

POINTS = 1_536  # for all arms together, 32 to 128 for each
REACH = 9.0  # standard deviations on each side of a belief's middle


class BetaThompson:
    """Draws from each arm's belief and takes the arm of the largest draw.

    A reward within (0, 1) counts as so much of a success and the rest of a failure, which keeps
    the belief's mean right and is never narrower than it should be.

    Args:
        n_arms: at least 1.
        discount: what a reward still counts one update later, above 0 up to 1; below 1 the
            beliefs follow arms that change.

    References:
        W. R. Thompson, "On the likelihood that one unknown probability exceeds another", 1933;
        V. Raj, S. Kalyani, "Taming non-stationary bandits: a Bayesian approach", 2017.

    >>> policy = BetaThompson(2)
    >>> for _ in range(50):
    ...     policy.update(1, 1.0)
    >>> policy.chances().round(2).tolist()
    [0.02, 0.98]
    """

    def __init__(self, n_arms: int, *, discount: float = 1.0) -> None:
        if n_arms < 1 or not 0 < discount <= 1:
            raise InvalidInputError(
                "Thompson sampling needs at least one arm and a discount above 0, at most 1; "
                f"found {n_arms} and {discount}."
            )
        self._discount = discount
        self._a = np.ones(n_arms)
        self._b = np.ones(n_arms)

    def choose(self, rng: np.random.Generator) -> int:
        """Return an arm; each comes with its chance of being the best."""
        return int(rng.beta(self._a, self._b).argmax())

    def chances(self) -> NDArray[np.float64]:
        """Return the chance of each arm to be chosen now, shape ``(n_arms,)``."""
        return chances_of_best(self._a, self._b)

    def update(self, arm: int, reward: float) -> None:
        """Learn that ``arm`` gave ``reward``, from 0 to 1."""
        if not 0 <= reward <= 1:
            raise InvalidInputError(f"A reward must lie in 0..1; found {reward}.")
        if self._discount < 1:
            self._a = 1 + self._discount * (self._a - 1)
            self._b = 1 + self._discount * (self._b - 1)
        self._a[arm] += reward
        self._b[arm] += 1 - reward


def chances_of_best(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the chance that each of several independent Beta variables is the largest.

    By numerical integration of each density times the others' distribution functions, on the
    scale of log odds, where all are smooth; within 1e-3 of the truth.

    Args:
        a: shape ``(n_arms,)``, above 0.
        b: shape ``(n_arms,)``, above 0.

    Returns:
        shape ``(n_arms,)``, with a sum of 1.

    Raises:
        InvalidInputError: a parameter is not above 0, or the shapes differ.

    >>> chances_of_best([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]).round(3).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise InvalidInputError("a and b must be lists of numbers of one length.")
    if not (np.all(first > 0) and np.all(second > 0)):
        raise InvalidInputError("The parameters of a Beta variable must be above 0.")
    if first.size == 1:
        return np.ones(1)
    places = _places(first, second)
    steps = np.diff(places)
    log_density = first[:, None] * -np.logaddexp(0, -places) - second[:, None] * np.logaddexp(
        0, places
    )
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    below = np.zeros_like(density)
    np.cumsum((density[:, 1:] + density[:, :-1]) / 2 * steps, axis=1, out=below[:, 1:])
    density /= below[:, -1:]
    below /= below[:, -1:]
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(below, 1e-300))
    others = np.exp(logs.sum(axis=0) - logs)
    product = density * others
    chances = ((product[:, 1:] + product[:, :-1]) / 2 * steps).sum(axis=1)
    return np.asarray(chances / chances.sum())


def _places(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log odds at which to look: dense where any of the beliefs has its mass."""
    middle = np.log(a / b)
    spread = np.sqrt(1 / a + 1 / b)
    reach = np.linspace(-REACH, REACH, min(128, max(32, POINTS // a.size)))
    tails = np.maximum(1, 6 / (REACH * np.minimum(a, b) * spread))  # e^-54 at the ends
    scaled = middle[:, None] + (spread * tails)[:, None] * reach
    return np.unique(scaled)
