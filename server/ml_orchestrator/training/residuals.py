"""A line first, and trees for what it leaves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

__all__ = ["LineThenTrees"]


class LineThenTrees(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the sum of a ridge regression and of boosted trees fitted on its residuals.

    Trees alone answer beyond the rows they learnt from with the last value they saw; the line
    goes on (H. Zhang, D. Nettleton, Z. Zhu, Regression-enhanced random forests, 2019). Takes
    finite numbers of shape ``(n_rows, n_columns)``.
    """

    def __init__(self, line: Ridge, trees: HistGradientBoostingRegressor) -> None:
        self.line = line
        self.trees = trees

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LineThenTrees":  # noqa: N803 scikit-learn's
        """Fit the line, then the trees."""
        self.line_ = clone(self.line).fit(X, y, sample_weight=sample_weight)
        left = np.asarray(y, dtype=np.float64) - self.line_.predict(X)
        self.trees_ = clone(self.trees).fit(X, left, sample_weight=sample_weight)
        self.n_features_in_ = self.line_.n_features_in_
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return one value a row."""
        values: NDArray[np.float64] = self.line_.predict(X) + self.trees_.predict(X)
        return values
