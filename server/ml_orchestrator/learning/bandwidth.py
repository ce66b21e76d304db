"""How alike two contexts are, and how far a reward speaks for others: chosen by prediction."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_bandwidth", "likeness"]

SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)  # of the median distance between contexts
NEWEST = 800
STRENGTH = 2.0  # rewards that what is known everywhere counts for
CLIP = 1e-3


def likeness(
    contexts: NDArray[np.float64], context: NDArray[np.float64], bandwidth: float
) -> NDArray[np.float64]:
    """Return how much each context says about one: ``exp(-distance^2 / (2 bandwidth^2))``.

    Args:
        contexts: shape ``(n, n_features)``.
        context: shape ``(n_features,)``.
        bandwidth: above 0; infinite where contexts say nothing, then all are 1.

    >>> likeness(np.array([[0.0], [1.0]]), np.array([0.0]), 1.0).round(3).tolist()
    [1.0, 0.607]
    """
    if math.isinf(bandwidth):
        return np.ones(len(contexts))
    squares = ((contexts - context) ** 2).sum(axis=1)
    return np.asarray(np.exp(squares / (-2 * bandwidth**2)))


def best_bandwidth(
    contexts: NDArray[np.float64], arms: NDArray[np.int64], rewards: NDArray[np.float64]
) -> float:
    """Return the bandwidth whose means predict each reward best from the others.

    Contexts are left aside (infinite) unless one of the bandwidths predicts better by more than
    a standard error: they are used where they pay, not for their own sake.

    Args:
        contexts: shape ``(n, n_features)``; the newest 800 rows are looked at.
        arms: shape ``(n,)``, which arm each row chose.
        rewards: shape ``(n,)``, within [0, 1].
    """
    x, r = contexts[-NEWEST:], rewards[-NEWEST:]
    _, code = np.unique(arms[-NEWEST:], return_inverse=True)
    squares = _squared_distances(x)
    typical = math.sqrt(float(np.median(squares)))
    if typical == 0:
        return math.inf
    plain = _losses(np.ones_like(squares), code, r)
    best, bandwidth = plain.mean(), math.inf
    for share in SHARES:
        losses = _losses(np.exp(squares / (-2 * (share * typical) ** 2)), code, r)
        gain = plain - losses
        if losses.mean() < best and gain.mean() > gain.std() / math.sqrt(len(gain)):
            best, bandwidth = losses.mean(), share * typical
    return bandwidth


def _squared_distances(x: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = (x * x).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0.0))


def _losses(
    alike: NDArray[np.float64], code: NDArray[np.intp], rewards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the log loss of each reward, predicted from the other rows of its arm."""
    chosen = np.eye(int(code.max()) + 1)[code]
    everywhere_n = chosen.sum(axis=0)[code] - 1
    everywhere = (1 + (chosen * rewards[:, None]).sum(axis=0)[code] - rewards) / (2 + everywhere_n)
    same = alike * (chosen @ chosen.T)
    np.fill_diagonal(same, 0.0)
    mean = (STRENGTH * everywhere + same @ rewards) / (STRENGTH + same.sum(axis=1))
    mean = np.clip(mean, CLIP, 1 - CLIP)
    return np.asarray(-rewards * np.log(mean) - (1 - rewards) * np.log1p(-mean))
