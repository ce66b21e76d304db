"""What each action can be expected to earn in a context, by models that did not see the row."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["cross_fitted"]

N_FOLDS = 5
PENALTY = 10.0
LARGEST = 1e100  # of a context; squares of larger ones are no numbers any more


def cross_fitted(
    contexts: NDArray[np.float64],
    actions: NDArray[np.intp],
    rewards: NDArray[np.float64],
    *,
    n_actions: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return each row's expected reward of every action, from the rows of the other folds.

    A ridge regression for each action, on standardised features with a free intercept; an action
    that the other folds never took is expected to earn their mean reward.

    Args:
        contexts: shape ``(n, n_features)``, within -1e100 to 1e100; no feature gives each
            action its mean.
        actions: shape ``(n,)``, indices below ``n_actions``.
        rewards: shape ``(n,)``, finite.
        n_actions: at least 1.
        rng: Deals the rows to five folds.

    Returns:
        shape ``(n, n_actions)``.

    Raises:
        InvalidInputError: fewer than two rows, or contexts that are missing or too large.

    >>> x, a = np.zeros((40, 1)), np.arange(40) % 2
    >>> cross_fitted(x, a, 1.0 * a, n_actions=2, rng=np.random.default_rng(0))[0].tolist()
    [0.0, 1.0]
    """
    n = len(rewards)
    if n < 2 or not np.all(np.isfinite(contexts)):
        raise InvalidInputError(
            "A model of rewards needs two rows or more, and contexts without missing values."
        )
    if np.any(np.abs(contexts) > LARGEST):
        raise InvalidInputError(
            f"Contexts must lie within -{LARGEST:g} to {LARGEST:g}; found "
            f"{contexts.flat[np.argmax(np.abs(contexts))]:g}. Give them in another unit."
        )
    fold = rng.permutation(n) % min(N_FOLDS, n)
    expected = np.empty((n, n_actions))
    for number in np.unique(fold):
        others, own = fold != number, fold == number
        for action in range(n_actions):
            rows = others & (actions == action)
            expected[own, action] = (
                _ridge(contexts[rows], rewards[rows], contexts[own])
                if rows.any()
                else rewards[others].mean()
            )
    return expected


def _ridge(
    x: NDArray[np.float64], y: NDArray[np.float64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    scaled = (x - middle) / spread
    gram = scaled.T @ scaled + PENALTY * np.eye(x.shape[1])
    slopes = np.linalg.solve(gram, scaled.T @ (y - y.mean()))
    return np.asarray(y.mean() + (asked - middle) / spread @ slopes)
