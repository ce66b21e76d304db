"""A model of changes: what is added to the last known value."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone

from ml_orchestrator.training.model_parts import takes_weights

__all__ = ["ChangeFromLast"]


class ChangeFromLast(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the first column, the last known value, plus what a regressor says of the rest.

    So a model that cannot go beyond the values it learnt from, as trees cannot, follows a series
    that rises. Rows without a last known value are left out while fitting; while predicting they
    take the median of the target. Takes numbers of shape ``(n_rows, 1 + n_columns)``.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ChangeFromLast":  # noqa: N803 scikit-learn's
        """Fit the regressor on the changes."""
        values, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        is_known = np.isfinite(values[:, 0])
        self.fallback_ = float(np.median(target))
        given = {}
        if sample_weight is not None and takes_weights(self.regressor):
            given["sample_weight"] = np.asarray(sample_weight)[is_known]
        changes = target[is_known] - values[is_known, 0]
        self.regressor_ = clone(self.regressor).fit(values[is_known, 1:], changes, **given)
        self.n_features_in_ = values.shape[1]
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return one value a row."""
        values = np.asarray(X, dtype=np.float64)
        level = np.where(np.isfinite(values[:, 0]), values[:, 0], self.fallback_)
        answers: NDArray[np.float64] = level + self.regressor_.predict(values[:, 1:])
        return answers

    def as_saved(self) -> "ChangeFromLast":
        """Return it with its regressor as that is saved, on one core."""
        fitted = self.regressor_
        if hasattr(fitted, "as_saved"):
            fitted = fitted.as_saved()
        if "n_jobs" in fitted.get_params():
            fitted.set_params(n_jobs=None)
        self.regressor, self.regressor_ = clone(fitted), fitted
        return self
