"""Columns that tell no more than copies out of place are left out, as a step of a pipeline."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

__all__ = ["ShadowScreening"]

N_ROUNDS = 3
N_TREES = 60
MIN_LEAF_ROWS = 5
MOST_ROWS = 2_000  # that are looked at
LEAST_SHIFT = 0.1  # of the rows, that a shadow of rows in time order is moved by
SHADOW_SHARE = 0.95  # of the shuffled columns, which a column must beat
Matrix = NDArray[np.float64]


class ShadowScreening(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps the columns that random trees use more than shuffled copies of the columns.

    In three rounds the columns and a shuffled copy of each are given to extremely randomised
    trees; kept is what has, on average, a greater importance than 95 % of the copies, and the
    most important column in any case. So about one in twenty columns of noise stays (after
    M. Kursa, W. Rudnicki, Feature selection with the Boruta package, 2010, with one comparison in
    place of tests until all are decided). It sees the rows that the pipeline is fitted on alone,
    at most 2,000 of them. Where rows are in time order, a shuffled copy would lose what any slow
    column shares with a slow target, and noise that drifts would beat it: the copies are moved
    along the rows instead, each by a random number of rows, what leaves the end coming in at the
    start. Takes numbers, of shape ``(n_rows, n_columns)``; NaN may stand for what
    is missing.

    Args of the constructor:
        is_class: whether the target is classes.
        n_fixed: how many of the first columns are kept unseen.
        is_ordered: whether the rows it is fitted on come in time order.
    """

    is_ordered: bool = False  # what a file of an earlier release does not say

    def __init__(self, *, is_class: bool, n_fixed: int = 0, is_ordered: bool = False) -> None:
        self.is_class = is_class
        self.n_fixed = n_fixed
        self.is_ordered = is_ordered

    def fit(self, X: Any, y: Any) -> "ShadowScreening":  # noqa: N803 scikit-learn's
        """Decide which columns are kept."""
        values = np.asarray(X, dtype=np.float64)
        self.n_features_in_ = values.shape[1]
        rng = np.random.default_rng(0)
        rows = np.arange(len(values))
        if len(rows) > MOST_ROWS:
            rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        looked_at = _filled(values[rows, self.n_fixed :])
        shadows = [
            (_moved if self.is_ordered else _shuffled)(looked_at, rng) for _ in range(N_ROUNDS)
        ]
        importance, shadow = _importances(looked_at, shadows, np.asarray(y)[rows], self.is_class)
        is_kept = importance > np.quantile(shadow, SHADOW_SHARE)
        is_kept[int(np.argmax(importance))] = True
        self.kept_ = np.concatenate(
            [np.arange(self.n_fixed), self.n_fixed + np.flatnonzero(is_kept)]
        )
        return self

    def transform(self, X: Any) -> Matrix:  # noqa: N803
        """Return the kept columns."""
        kept: Matrix = np.asarray(X, dtype=np.float64)[:, self.kept_]
        return kept

    def get_feature_names_out(self, input_features: Any) -> NDArray[Any]:
        """Return the names of the kept columns."""
        names: NDArray[Any] = np.asarray(input_features, dtype=object)[self.kept_]
        return names


def _importances(
    values: Matrix, shadows: list[Matrix], target: NDArray[Any], is_class: bool
) -> tuple[Matrix, Matrix]:
    """Return the columns' importances, means over the rounds, and each one of a copy."""
    n_columns = values.shape[1]
    forest = ExtraTreesClassifier if is_class else ExtraTreesRegressor
    total, copies = np.zeros(n_columns), []
    for seed, copy in enumerate(shadows):
        trees = forest(
            N_TREES, min_samples_leaf=MIN_LEAF_ROWS, max_features="sqrt", random_state=seed
        )
        found = trees.fit(np.hstack([values, copy]), target).feature_importances_
        total += found[:n_columns]
        copies.append(found[n_columns:])
    return total / len(shadows), np.concatenate(copies)


def _shuffled(values: Matrix, rng: np.random.Generator) -> Matrix:
    shuffled: Matrix = rng.permuted(values, axis=0)
    return shuffled


def _moved(values: Matrix, rng: np.random.Generator) -> Matrix:
    """Return each column moved by its own number of rows, a tenth of them at least, either way."""
    n_rows = len(values)
    least = max(1, int(LEAST_SHIFT * n_rows))
    most = max(least, n_rows - least)
    by = (int(rng.integers(least, most + 1)) for _ in range(values.shape[1]))
    return np.column_stack([np.roll(column, n) for column, n in zip(values.T, by, strict=True)])


def _filled(values: Matrix) -> Matrix:
    """Return the values with the median of its column for each missing one."""
    is_known = np.isfinite(values)
    medians = np.array(
        [
            np.median(column[known]) if known.any() else 0.0
            for column, known in zip(values.T, is_known.T, strict=True)
        ]
    )
    filled: Matrix = np.where(is_known, values, medians[None, :])
    return filled
