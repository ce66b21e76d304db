"""Products and ratios of columns that tell what lines do not, as a step of a saved pipeline."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ml_orchestrator.training.raw_numbers import LARGEST, as_numbers, bounded

__all__ = ["PairFeatures"]

MOST_COLUMNS = 200  # of which pairs are made, the first
MOST_PAIRS = 10  # that are kept
MOST_ROWS = 3_000  # that pairs are chosen on
BEYOND_CHANCE = 1.0  # deviations above what the greatest of so many correlations is by chance
N_SHUFFLES = 19  # of what is left; noise beats the greatest of them all once in twenty tables
MOST_CLASSES = 10
Matrix = NDArray[np.float64]


class PairFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Puts up to ten products and ratios of two numeric columns beside the columns.

    Chosen while fitting are those that correlate most with what a line through all columns leaves
    of the target, of products of the columns less their means, and of ratios by columns that are
    all above or all below 0; only beyond what the greatest of so many correlations would be by
    chance: by a formula, and with the same products where what is left is shuffled, 19 times, which
    counts where few large values make a correlation. Takes a frame of numbers, None or NaN where
    they are missing; a product or ratio with a missing part, or by 0, is missing.
    """

    largest = LARGEST  # beyond which columns and pairs are taken for it

    def fit(self, X: pd.DataFrame, y: Any) -> "PairFeatures":  # noqa: N803 scikit-learn's
        """Choose the pairs."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        values = _numbers(X)
        is_known = np.isfinite(values)
        counts = np.maximum(is_known.sum(axis=0), 1)
        self.middle_ = np.where(is_known, values, 0.0).sum(axis=0) / counts
        rows = np.arange(len(values))
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
        self.pairs_, self.is_ratio_ = _chosen(
            np.where(is_known, values, self.middle_)[rows], self.middle_, _targets(y)[rows]
        )
        return self

    def transform(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the columns, and the pairs after them."""
        values = _numbers(X[list(self.feature_names_in_)])
        first, second = values[:, self.pairs_[:, 0]], values[:, self.pairs_[:, 1]]
        middles = self.middle_[self.pairs_]
        products = (first - middles[:, 0]) * (second - middles[:, 1])
        pairs = np.where(self.is_ratio_, _ratio(first, second), products)
        return np.hstack([values, bounded(np.where(np.isfinite(pairs), pairs, np.nan))])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return the names of the columns, then ``a*b`` or ``a/b`` for each pair."""
        names = self.feature_names_in_
        pairs = [
            f"{names[a]}{'/' if is_ratio else '*'}{names[b]}"
            for (a, b), is_ratio in zip(self.pairs_, self.is_ratio_, strict=True)
        ]
        return np.asarray([*names, *pairs], dtype=object)


def _chosen(
    values: Matrix, middle: Matrix, targets: Matrix
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the columns of each pair, shape ``(n_pairs, 2)``, and whether it is a ratio."""
    n_columns = min(values.shape[1], MOST_COLUMNS)
    left = _left_by_lines(values, targets)
    n_left = left.shape[1]
    left = np.hstack([left, *_shuffled(left)])
    greatest = 0.0
    found: list[tuple[float, int, int, bool]] = []
    n_looked_at = 0
    for one, others, made, is_ratio in _candidates(values[:, :n_columns], middle[:n_columns]):
        by_column = _correlations(made, left)
        strengths = by_column[:, :n_left].max(axis=1)
        greatest = max(greatest, float(by_column[:, n_left:].max()))
        n_looked_at += len(others)
        found += [(float(s), one, int(o), is_ratio) for s, o in zip(strengths, others, strict=True)]
    by_chance = np.sqrt(2 * np.log(max(n_looked_at, 2) * targets.shape[1])) + BEYOND_CHANCE
    least = max(float(by_chance / np.sqrt(len(values))), greatest)
    real = [entry for entry in found if entry[0] > least]
    real.sort(key=lambda entry: (-entry[0], *entry[1:]))
    best = real[:MOST_PAIRS]
    pairs = np.array([entry[1:3] for entry in best], dtype=np.int64).reshape(-1, 2)
    return pairs, np.array([entry[3] for entry in best], dtype=bool)


def _candidates(
    values: Matrix, middle: Matrix
) -> Iterator[tuple[int, NDArray[np.int64], Matrix, bool]]:
    """Give one column, others, and its products with them or their ratios to it."""
    n_columns = values.shape[1]
    centred = values - middle
    has_one_sign = (values > 0).all(axis=0) | (values < 0).all(axis=0)
    for one in range(n_columns):
        others = np.arange(one + 1, n_columns)
        if len(others):
            yield one, others, centred[:, [one]] * centred[:, others], False
        below = np.flatnonzero(has_one_sign & (np.arange(n_columns) != one))
        if len(below):
            yield one, below, values[:, [one]] / values[:, below], True


def _left_by_lines(values: Matrix, targets: Matrix) -> Matrix:
    design = np.column_stack([np.ones(len(values)), values - values.mean(axis=0)])
    spread = design.std(axis=0)
    design = design / np.where(spread > 0, spread, 1.0)
    weights = np.linalg.lstsq(design, targets, rcond=1e-10)[0]
    return targets - design @ weights


def _shuffled(left: Matrix) -> list[Matrix]:
    rng = np.random.default_rng(0)
    return [left[rng.permutation(len(left))] for _ in range(N_SHUFFLES)]


def _correlations(made: Matrix, left: Matrix) -> Matrix:
    """Return the absolute correlation of each column made with each one that is left."""
    one = made - made.mean(axis=0)
    other = left - left.mean(axis=0)
    scale = np.sqrt((one**2).sum(axis=0))[:, None] * np.sqrt((other**2).sum(axis=0))[None, :]
    products = np.abs(one.T @ other)
    strengths: Matrix = np.divide(
        products, scale, out=np.zeros_like(products), where=np.isfinite(scale) & (scale > 1e-12)
    )
    return strengths


def _targets(y: Any) -> Matrix:
    """Return a number as one column, classes as one column each but for the first."""
    target = np.asarray(y)
    if np.issubdtype(target.dtype, np.floating):
        return target[:, None]
    classes, codes = np.unique(target, return_inverse=True)
    some = range(1, min(len(classes), MOST_CLASSES + 1))
    return np.column_stack([(codes == code).astype(np.float64) for code in some])


def _ratio(first: Matrix, second: Matrix) -> Matrix:
    return np.divide(first, second, out=np.full_like(first, np.nan), where=second != 0)


def _numbers(frame: pd.DataFrame) -> Matrix:
    return np.column_stack([bounded(as_numbers(frame[name])) for name in frame.columns])
