"""Columns that tell no more than shuffled ones are left out, as a step of a saved pipeline."""

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
SHADOW_SHARE = 0.95  # of the shuffled columns, which a column must beat
Matrix = NDArray[np.float64]


class ShadowScreening(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps the columns that random trees use more than shuffled copies of the columns.

    In three rounds the columns and a shuffled copy of each are given to extremely randomised
    trees; kept is what has, on average, a greater importance than 95 % of the copies, and the
    most important column in any case. So about one in twenty columns of noise stays (after
    M. Kursa, W. Rudnicki, Feature selection with the Boruta package, 2010, with one comparison in
    place of tests until all are decided). It sees the rows that the pipeline is fitted on alone,
    at most 2,000 of them. Takes numbers, of shape ``(n_rows, n_columns)``; NaN may stand for what
    is missing.

    Args of the constructor:
        is_class: whether the target is classes.
        n_fixed: how many of the first columns are kept unseen.
    """

    def __init__(self, *, is_class: bool, n_fixed: int = 0) -> None:
        self.is_class = is_class
        self.n_fixed = n_fixed

    def fit(self, X: Any, y: Any) -> "ShadowScreening":  # noqa: N803 scikit-learn's
        """Decide which columns are kept."""
        values = np.asarray(X, dtype=np.float64)
        self.n_features_in_ = values.shape[1]
        rng = np.random.default_rng(0)
        rows = np.arange(len(values))
        if len(rows) > MOST_ROWS:
            rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        looked_at = _filled(values[rows, self.n_fixed :])
        importance, shadow = _importances(looked_at, np.asarray(y)[rows], self.is_class, rng)
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
    values: Matrix, target: NDArray[Any], is_class: bool, rng: np.random.Generator
) -> tuple[Matrix, Matrix]:
    """Return the columns' importances, means over the rounds, and each one of a shuffled copy."""
    n_columns = values.shape[1]
    forest = ExtraTreesClassifier if is_class else ExtraTreesRegressor
    total, copies = np.zeros(n_columns), []
    for seed in range(N_ROUNDS):
        shadows = rng.permuted(values, axis=0)
        trees = forest(
            N_TREES, min_samples_leaf=MIN_LEAF_ROWS, max_features="sqrt", random_state=seed
        )
        found = trees.fit(np.hstack([values, shadows]), target).feature_importances_
        total += found[:n_columns]
        copies.append(found[n_columns:])
    return total / N_ROUNDS, np.concatenate(copies)


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
