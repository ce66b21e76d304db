"""The digits of scikit-learn as a stream of contexts, the same for every contender."""

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

__all__ = ["ALPHA", "stream"]

ALPHA = 0.3  # of LinUCB


def stream(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return contexts, shape ``(1797, 65)``, and the digit each one shows, in an order of seed."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    contexts = np.hstack([x / 16.0, np.ones((len(y), 1))])
    return np.ascontiguousarray(contexts[order]), y[order].astype(np.int64)
