"""How alike two contexts are: in which features, and how far, is chosen by what predicts."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRENGTH", "best_bandwidths", "likeness"]

SHARES = (0.5, 1.0, 2.0)  # of a feature's standard deviation
MOST_FEATURES = 4
NEWEST = 400
STRENGTH = 2.0  # rewards that what is known everywhere counts for
SURE = 2.0  # standard errors
MOST_COUNTED = 10.0
CLIP = 1e-3


def likeness(
    contexts: NDArray[np.float64],
    context: NDArray[np.float64],
    bandwidths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how much each context says about one, from 0 to 1 for the same.

    That is ``exp`` of minus half the sum of squared differences, each in its bandwidth.

    Args:
        contexts: shape ``(n, n_features)``.
        context: shape ``(n_features,)``.
        bandwidths: shape ``(n_features,)``, above 0; infinite where a feature says nothing.

    >>> likeness(np.array([[0.0], [1.0]]), np.array([0.0]), np.array([1.0])).round(3).tolist()
    [1.0, 0.607]
    """
    used = np.isfinite(bandwidths)
    apart = (contexts[:, used] - context[used]) / bandwidths[used]
    return np.asarray(np.exp((apart * apart).sum(axis=1) / -2))


def best_bandwidths(
    contexts: NDArray[np.float64],
    arms: NDArray[np.int64],
    rewards: NDArray[np.float64],
    propensities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the bandwidths by which rewards are predicted best from those of other rows.

    Features come in one by one, at most four, each with the bandwidth that predicts best, as
    long as that is better by more than two standard errors: contexts are used where they pay,
    and a feature that says nothing does not blur those that do. Rows count by the inverse of their
    propensity, up to ten times: where a policy already does the right thing in each context, only
    its exceptions show what contexts are worth.

    Args:
        contexts: shape ``(n, n_features)``; the newest 400 rows are looked at.
        arms: shape ``(n,)``, which arm each row chose.
        rewards: shape ``(n,)``, within [0, 1].
        propensities: shape ``(n,)``, of what each row chose, above 0.

    Returns:
        shape ``(n_features,)``, infinite for a feature that is left out.
    """
    x = contexts[-NEWEST:]
    rows = _Rows(arms[-NEWEST:], rewards[-NEWEST:])
    counts = np.minimum(1 / propensities[-NEWEST:], MOST_COUNTED)
    counts /= counts.sum()
    bandwidths = np.full(x.shape[1], math.inf)
    spread = x.std(axis=0)
    alike = np.ones((len(x), len(x)))
    losses = rows.losses(alike)
    for _ in range(MOST_FEATURES):
        best = None
        for feature in np.flatnonzero(np.isinf(bandwidths) & (spread > 0)):
            for share in SHARES:
                narrower = alike * _alike_in(x[:, feature], share * spread[feature])
                found = rows.losses(narrower)
                if best is None or counts @ found < counts @ best[0]:
                    best = found, narrower, feature, share * spread[feature]
        if best is None or not _is_sure(losses - best[0], counts):
            break
        losses, alike, feature, bandwidth = best
        bandwidths[feature] = bandwidth
    return bandwidths


def _alike_in(values: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    apart = (values[:, None] - values) / bandwidth
    return np.asarray(np.exp(apart * apart / -2))


def _is_sure(gains: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    mean = counts @ gains
    return bool(mean > SURE * math.sqrt(counts**2 @ (gains - mean) ** 2))


class _Rows:
    """Rewards to be predicted, each from the other rows of its arm."""

    def __init__(self, arms: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        _, code = np.unique(arms, return_inverse=True)
        chosen = np.eye(int(code.max()) + 1)[code]
        n_others = chosen.sum(axis=0)[code] - 1
        sums = (chosen * rewards[:, None]).sum(axis=0)[code] - rewards
        self._rewards = rewards
        self._everywhere = STRENGTH * (1 + sums) / (2 + n_others)
        self._same = chosen @ chosen.T
        np.fill_diagonal(self._same, 0.0)

    def losses(self, alike: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log loss of each reward, if rows count as far as they are alike."""
        weights = alike * self._same
        mean = (self._everywhere + weights @ self._rewards) / (STRENGTH + weights.sum(axis=1))
        mean = np.clip(mean, CLIP, 1 - CLIP)
        return np.asarray(-self._rewards * np.log(mean) - (1 - self._rewards) * np.log1p(-mean))
