"""What class predictions are worth: known labels, expected ones, and ones drawn at random."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = [
    "accuracy",
    "confusion_matrix",
    "drawn_scores",
    "expected_scores",
    "f1_macro",
    "realised_scores",
    "roc_auc",
]

DRAWS_AT_ONCE = 16
Scores = Mapping[str, float]
Codes = NDArray[np.int64]
Matrix = NDArray[np.float64]
Weights = NDArray[np.float64]


def realised_scores(truth: Codes, predicted: Codes, scores: Matrix) -> Scores:
    """Return accuracy, f1_macro and roc_auc; of two classes also precision and recall.

    A score that the rows do not define is NaN. F1 is the mean over the classes that occur or are
    predicted, the area the mean of each class against the rest; precision and recall are of the
    second class.

    Args:
        truth: codes from 0, shape ``(n,)``.
        predicted: codes, shape ``(n,)``.
        scores: what rows are ranked by for each class, shape ``(n, n_classes)``; without rows of
            its own, shape ``(0, n_classes)``, there is no area.

    >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> realised_scores(np.array([0, 1, 0]), np.array([0, 1, 1]), scores)["roc_auc"]
    1.0
    """
    found = _of_confusion(confusion_matrix(truth, predicted, scores.shape[1]))
    if len(scores):
        found["roc_auc"] = roc_auc(truth, scores)
    return found


def expected_scores(probabilities: Matrix, predicted: Codes, scores: Matrix) -> Scores:
    """Return the same scores for labels that are known by their probabilities only.

    The confusion matrix is the expected one: a row predicted as j adds its probability of each
    class i to cell (i, j). The area is the expected number of rightly ordered pairs of different
    rows over the expected number of pairs.

    Args:
        probabilities: of each class, rows summing to 1, shape ``(n, n_classes)``.
        predicted: codes, shape ``(n,)``.
        scores: what the model ranks by, same shape as ``probabilities``.

    References:
        J. Białek, J. Perrakis, "Estimating model performance under covariate shift without
        labels", arXiv:2401.08348 (2024).
    """
    n_classes = probabilities.shape[1]
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion.T, predicted, probabilities)
    found = _of_confusion(confusion)
    found["roc_auc"] = _mean_area(
        _expected_area(scores[:, c], probabilities[:, c]) for c in _ranked(n_classes)
    )
    return found


def drawn_scores(
    probabilities: Matrix,
    predicted: Codes,
    scores: Matrix,
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> Iterator[Scores]:
    """Yield the scores of labels drawn from their probabilities, ``n_draws`` times."""
    n_classes = probabilities.shape[1]
    limits = np.cumsum(probabilities, axis=1)[:, :-1]
    ranks = {c: rankdata(scores[:, c]) for c in _ranked(n_classes)}
    for start in range(0, n_draws, DRAWS_AT_ONCE):
        uniform = rng.random((min(DRAWS_AT_ONCE, n_draws - start), len(predicted)))
        for row in uniform:
            truth = (row[:, None] >= limits).sum(axis=1)
            found = _of_confusion(confusion_matrix(truth, predicted, n_classes))
            found["roc_auc"] = _mean_area(_area(ranks[c], truth == c) for c in ranks)
            yield found


def confusion_matrix(
    truth: Codes, predicted: Codes, n_classes: int, weights: Weights | None = None
) -> Matrix:
    """Return the counts of rows, shape ``(n_classes, n_classes)``: the truth down, said across.

    With weights of shape ``(n,)`` it is their sums.
    """
    counts = np.bincount(truth * n_classes + predicted, weights, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.float64)


def accuracy(confusion: Matrix) -> float:
    """Return the share of rows whose class is right; NaN of no rows."""
    return _ratio(np.trace(confusion), confusion.sum())


def f1_macro(confusion: Matrix) -> float:
    """Return the mean F1 over the classes that occur or are predicted."""
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = both > 0
    return float(np.mean(2 * np.diag(confusion)[occurs] / both[occurs]))


def roc_auc(truth: Codes, scores: Matrix, weights: Weights | None = None) -> float:
    """Return the area under the ROC curve; above two classes the mean of each against the rest.

    NaN where the rows do not define it. ``scores`` has shape ``(n, n_classes)``; with weights of
    shape ``(n,)`` a pair of rows counts as their product.
    """
    if weights is not None:
        shares = weights / weights.sum()
        return _mean_area(
            _weighted_area(scores[:, c], truth == c, shares) for c in _ranked(scores.shape[1])
        )
    return _mean_area(_area(rankdata(scores[:, c]), truth == c) for c in _ranked(scores.shape[1]))


def _ranked(n_classes: int) -> range:
    return range(1, 2) if n_classes == 2 else range(n_classes)


def _of_confusion(table: Matrix) -> dict[str, float]:
    """Return the scores of a confusion matrix, counts or expected ones; rows are the truth."""
    found = {"accuracy": accuracy(table), "f1_macro": f1_macro(table)}
    if len(table) == 2:
        found["precision"] = _ratio(table[1, 1], table[:, 1].sum())
        found["recall"] = _ratio(table[1, 1], table[1].sum())
    return found


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _area(ranks: Matrix, is_positive: NDArray[np.bool_]) -> float:
    n_positive = int(np.count_nonzero(is_positive))
    n_pairs = n_positive * (len(ranks) - n_positive)
    if not n_pairs:
        return float("nan")
    return float(ranks[is_positive].sum() - n_positive * (n_positive + 1) / 2) / n_pairs


def _weighted_area(scores: Matrix, is_positive: NDArray[np.bool_], weights: Weights) -> float:
    order = np.argsort(scores, kind="stable")
    up, down = (np.where(side, weights, 0.0)[order] for side in (is_positive, ~is_positive))
    return _ratio(_ordered_pairs(scores[order], up, down), float(up.sum() * down.sum()))


def _expected_area(scores: Matrix, chance: Matrix) -> float:
    order = np.argsort(scores, kind="stable")
    p = chance[order]
    with_itself = float(np.sum(p * (1 - p)))  # a row is no pair
    ordered = _ordered_pairs(scores[order], p, 1 - p) - with_itself / 2
    return _ratio(ordered, float(p.sum() * (1 - p).sum()) - with_itself)


def _ordered_pairs(ascending: Matrix, positive: Matrix, negative: Matrix) -> float:
    """Return how much of ``positive`` times ``negative`` is scored higher; half of what is tied."""
    starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
    up, down = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    below = np.cumsum(down) - down
    return float(np.sum(up * (below + down / 2)))


def _mean_area(areas: Iterator[float]) -> float:
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")
