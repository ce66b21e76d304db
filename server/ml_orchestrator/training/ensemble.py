"""Which models to average, and how much each counts.

Models are added one at a time, with replacement, each the one whose addition to the average
scores best on rows that none of them was fitted on (R. Caruana et al., Ensemble selection from
libraries of models, 2004).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.metrics import Metric
from ml_orchestrator.training.out_of_fold import (
    Answers,
    mean_score,
    numbers_of,
    predictions_of,
)

__all__ = ["average", "best_alone", "cross_selected", "select_weights"]

N_ROUNDS = 15
PATIENCE = 4  # rounds without a better average before it is given up
Weights = NDArray[np.float64]


def select_weights(
    candidates: Sequence[Answers],
    metric: Metric,
    *,
    max_members: int,
    shares: Sequence[float] | None = None,
) -> Weights:
    """Return a weight for each candidate, adding up to 1; at most ``max_members`` are above 0.

    On these rows the average is never worse than the first, the best alone of a search, which gets
    no weight where another scores better on them and it adds nothing to that. ``shares`` are what
    part of the time for it each takes to fit: together at most 1, but the first candidate may be
    chosen to begin with whatever it takes.
    """
    takes = np.zeros(len(candidates)) if shares is None else np.asarray(shares)
    counts = np.zeros(len(candidates))
    best, best_counts, n_idle = -np.inf, counts, 0
    total: list[NDArray[np.float64]] | None = None
    for _ in range(N_ROUNDS):
        tries = [i for i in range(len(candidates)) if _may_join(i, counts, takes, max_members)]
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


def best_alone(candidates: Sequence[Answers], metric: Metric) -> Weights:
    """Return weight 1 for the candidate that scores best, the first of equal ones."""
    scores = [metric.sign * mean_score(candidate, metric) for candidate in candidates]
    weights: Weights = np.eye(len(candidates))[int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))]
    return weights


def average(candidates: Sequence[Answers], weights: Weights) -> Answers:
    """Return the weighted mean of the candidates' answers."""
    chosen = [(c, w) for c, w in zip(candidates, weights, strict=True) if w > 0]
    folds = []
    for number, fold in enumerate(candidates[0].folds):
        mean = sum(w * numbers_of(c.folds[number]) for c, w in chosen)
        folds.append(predictions_of(fold.truth, np.asarray(mean), fold.weights))
    return Answers(tuple(folds))


def cross_selected(
    candidates: Sequence[Answers], select: Callable[[Sequence[Answers]], Weights]
) -> Answers:
    """Return averages whose weights ``select`` chose, for each fold, on the other folds.

    A selection judged on the rows that chose it looks better than it is, be it of one candidate.
    """
    folds = []
    for number in range(len(candidates[0].folds)):
        weights = select([candidate.without(number) for candidate in candidates])
        only = [Answers((candidate.folds[number],)) for candidate in candidates]
        folds.append(average(only, weights).folds[0])
    return Answers(tuple(folds))


def _may_join(i: int, counts: Weights, takes: Weights, max_members: int) -> bool:
    members = counts > 0
    if members[i] or not members.any():
        return bool(members[i] or i == 0 or takes[i] <= 1)
    return bool(members.sum() < max_members and takes[members].sum() + takes[i] <= 1)


def _added(
    total: list[NDArray[np.float64]] | None, candidate: Answers
) -> list[NDArray[np.float64]]:
    own = [numbers_of(fold) for fold in candidate.folds]
    return own if total is None else [a + b for a, b in zip(total, own, strict=True)]


def _score(sums: list[NDArray[np.float64]], size: float, shaped: Answers, metric: Metric) -> float:
    folds = [
        predictions_of(fold.truth, part / size, fold.weights)
        for fold, part in zip(shaped.folds, sums, strict=True)
    ]
    score = mean_score(Answers(tuple(folds)), metric)
    return score if np.isfinite(score) else -metric.sign * np.inf
