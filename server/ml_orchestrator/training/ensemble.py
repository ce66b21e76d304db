"""Which models to average, and how much each counts.

Models are added one at a time, with replacement, each the one whose addition to the average
scores best on rows that none of them was fitted on (R. Caruana et al., Ensemble selection from
libraries of models, 2004).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.metrics import Metric
from ml_orchestrator.training.out_of_fold import (
    Answers,
    mean_score,
    numbers_of,
    predictions_of,
)

__all__ = ["average", "cross_selected", "select_weights"]

N_ROUNDS = 15
PATIENCE = 4  # rounds without a better average before it is given up
Weights = NDArray[np.float64]


def select_weights(candidates: Sequence[Answers], metric: Metric, *, max_members: int) -> Weights:
    """Return a weight for each candidate, adding up to 1; at most ``max_members`` are above 0.

    The first is the best alone, so the average is never worse than it on these rows.
    """
    counts = np.zeros(len(candidates))
    best, best_counts, n_idle = -np.inf, counts, 0
    total: list[NDArray[np.float64]] | None = None
    for _ in range(N_ROUNDS):
        is_full = (counts > 0).sum() >= max_members
        tries = [i for i in range(len(candidates)) if counts[i] or not is_full]
        sums = {i: _added(total, candidates[i]) for i in tries}
        size = counts.sum() + 1
        scores = {i: metric.sign * _score(sums[i], size, candidates[i], metric) for i in tries}
        chosen = max(scores, key=lambda i: (scores[i], -i))
        counts = counts.copy()
        counts[chosen] += 1
        total = sums[chosen]
        if scores[chosen] > best:
            best, best_counts, n_idle = scores[chosen], counts, 0
        elif (n_idle := n_idle + 1) >= PATIENCE:
            break
    weights: Weights = best_counts / best_counts.sum()
    return weights


def average(candidates: Sequence[Answers], weights: Weights) -> Answers:
    """Return the weighted mean of the candidates' answers."""
    chosen = [(c, w) for c, w in zip(candidates, weights, strict=True) if w > 0]
    folds = []
    for number, fold in enumerate(candidates[0].folds):
        mean = sum(w * numbers_of(c.folds[number]) for c, w in chosen)
        folds.append(predictions_of(fold.truth, np.asarray(mean)))
    return Answers(tuple(folds))


def cross_selected(candidates: Sequence[Answers], metric: Metric, *, max_members: int) -> Answers:
    """Return averages whose weights were chosen, for each fold, on the other folds.

    A selection judged on the rows that chose it looks better than it is.
    """
    folds = []
    for number in range(len(candidates[0].folds)):
        others = [candidate.without(number) for candidate in candidates]
        weights = select_weights(others, metric, max_members=max_members)
        only = [Answers((candidate.folds[number],)) for candidate in candidates]
        folds.append(average(only, weights).folds[0])
    return Answers(tuple(folds))


def _added(
    total: list[NDArray[np.float64]] | None, candidate: Answers
) -> list[NDArray[np.float64]]:
    own = [numbers_of(fold) for fold in candidate.folds]
    return own if total is None else [a + b for a, b in zip(total, own, strict=True)]


def _score(sums: list[NDArray[np.float64]], size: float, shaped: Answers, metric: Metric) -> float:
    folds = [
        predictions_of(fold.truth, part / size)
        for fold, part in zip(shaped.folds, sums, strict=True)
    ]
    score = mean_score(Answers(tuple(folds)), metric)
    return score if np.isfinite(score) else -metric.sign * np.inf
