"""LightGBM's trees, grown by it and kept as scikit-learn's; the only module that knows LightGBM.

LightGBM 4.7 saves a model as one text that its C++ reads without looking twice, so a forged one
could reach memory that is not its own. Its trees are plain numbers, though: the same thresholds
in scikit-learn's own boosting, histogram kind, give the same predictions, and those are saved
by skops and looked through by ``modelfiles.trees`` like all others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import validate_data

__all__ = ["BoostedClassifier", "BoostedRegressor"]

NAN_IS_MISSING = 2  # LightGBM's code
_ARRAYS = (
    ("split_feature", np.int64), ("threshold", np.float64), ("decision_type", np.int64),
    ("left_child", np.int64), ("right_child", np.int64), ("split_gain", np.float64),
    ("internal_count", np.int64), ("leaf_value", np.float64), ("leaf_count", np.int64),
)  # fmt: skip
N_COMPARED = 500  # rows on which both must say the same
Matrix = NDArray[np.float64]


class _Boosted(BaseEstimator):  # type: ignore[misc]
    """What both tasks have in common."""

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        n_rounds: int = 100,
        n_leaves: int = 31,
        min_leaf_rows: int = 20,
        feature_share: float = 1.0,
        row_share: float = 1.0,
        l2: float = 0.0,
        quantile: float | None = None,
        class_weight: str | None = None,
        seed: int = 0,
        n_threads: int = 1,
    ) -> None:
        self.learning_rate = learning_rate
        self.n_rounds = n_rounds
        self.n_leaves = n_leaves
        self.min_leaf_rows = min_leaf_rows
        self.feature_share = feature_share
        self.row_share = row_share
        self.l2 = l2
        self.quantile = quantile
        self.class_weight = class_weight
        self.seed = seed
        self.n_threads = n_threads

    def predict(self, X: Any) -> Any:  # noqa: N803 scikit-learn's
        """Return a label or a value a row."""
        return self.saved_.predict(X)

    def as_saved(self) -> Any:
        """Return scikit-learn's estimator that holds the trees."""
        return self.saved_

    def _grow(self, X: Matrix, target: Matrix, weight: Any, objective: Mapping[str, Any]) -> Any:  # noqa: N803
        params = {
            **objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.n_leaves,
            "min_data_in_leaf": self.min_leaf_rows,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1 if self.row_share < 1 else 0,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "num_threads": self.n_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(X, target, weight=weight)
        return lightgbm.train(params, data, num_boost_round=int(self.n_rounds))


class BoostedRegressor(RegressorMixin, _Boosted):  # type: ignore[misc]
    """Predicts a mean, or a quantile where one is given."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BoostedRegressor":  # noqa: N803
        """Grow the trees and take them over."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")  # noqa: N806
        objective = (
            {"objective": "regression"}
            if self.quantile is None
            else {"objective": "quantile", "alpha": self.quantile}
        )
        grown = self._grow(X, y, sample_weight, objective)
        self.saved_ = _taken_over(HistGradientBoostingRegressor, grown, X, y)
        return self


class BoostedClassifier(ClassifierMixin, _Boosted):  # type: ignore[misc]
    """Predicts probabilities of two or more classes."""

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of the columns of ``predict_proba``."""
        classes: NDArray[Any] = self.saved_.classes_
        return classes

    def predict_proba(self, X: Any) -> Matrix:  # noqa: N803
        """Return probabilities, shape ``(n_rows, n_classes)``."""
        probabilities: Matrix = self.saved_.predict_proba(X)
        return probabilities

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BoostedClassifier":  # noqa: N803
        """Grow the trees and take them over."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")  # noqa: N806
        classes, codes = np.unique(y, return_inverse=True)
        weight = sample_weight
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y)
            weight = balance if sample_weight is None else balance * sample_weight
        objective: dict[str, Any] = {"objective": "binary"}
        if len(classes) > 2:
            objective = {"objective": "multiclass", "num_class": len(classes)}
        grown = self._grow(X, codes.astype(np.float64), weight, objective)
        self.saved_ = _taken_over(HistGradientBoostingClassifier, grown, X, y)
        return self


def _taken_over(family: Any, grown: Any, X: Matrix, y: Any) -> Any:  # noqa: N803
    """Return scikit-learn's boosting with the trees of ``grown``.

    Raises:
        ArithmeticError: it does not say the same.
    """
    model = family(
        max_iter=1, max_leaf_nodes=2, early_stopping=False, categorical_features=None
    ).fit(X, y)
    n_each = model.n_trees_per_iteration_
    trees = [_predictor(tree) for tree in _trees(grown)]
    model._predictors = [trees[i : i + n_each] for i in range(0, len(trees), n_each)]
    model._baseline_prediction = np.zeros_like(model._baseline_prediction)
    model.set_params(max_iter=max(1, len(model._predictors)))
    some = X[:N_COMPARED]
    ours, theirs = model._raw_predict(some), grown.predict(some, raw_score=True)
    if not np.allclose(ours, np.reshape(theirs, ours.shape), rtol=1e-9, atol=1e-9):
        raise ArithmeticError("scikit-learn reads LightGBM's trees in another way")
    return model


def _trees(grown: Any) -> Iterator[dict[str, NDArray[Any]]]:
    """Give the arrays of each tree out of LightGBM's text; without splits there is one leaf."""
    text = grown.model_to_string().partition("end of trees")[0]
    for part in text.split("\nTree=")[1:]:
        lines = dict(line.partition("=")[::2] for line in part.splitlines())
        yield {name: np.array(lines.get(name, "").split(), dtype=kind) for name, kind in _ARRAYS}


def _predictor(tree: Mapping[str, NDArray[Any]]) -> TreePredictor:
    """Return one tree: its splits, each after the one it stems from, then its leaves.

    Where no value was missing LightGBM takes a missing one for 0.
    """
    n_splits, n_leaves = len(tree["threshold"]), len(tree["leaf_value"])
    nodes = np.zeros(n_splits + n_leaves, dtype=PREDICTOR_RECORD_DTYPE)
    splits, leaves = nodes[:n_splits], nodes[n_splits:]
    is_known = (tree["decision_type"] >> 2) & 3 == NAN_IS_MISSING
    is_left = (tree["decision_type"] >> 1) & 1 == 1
    splits["missing_go_to_left"] = np.where(is_known, is_left, tree["threshold"] >= 0)
    splits["feature_idx"] = tree["split_feature"]
    splits["num_threshold"] = tree["threshold"]
    for side, children in (("left", tree["left_child"]), ("right", tree["right_child"])):
        splits[side] = np.where(children >= 0, children, n_splits + ~children)
    splits["gain"], splits["count"] = tree["split_gain"], tree["internal_count"]
    leaves["is_leaf"], leaves["value"] = 1, tree["leaf_value"]
    if len(tree["leaf_count"]) == n_leaves:
        leaves["count"] = tree["leaf_count"]
    no_sets = np.zeros((0, 8), dtype=np.uint32)
    return TreePredictor(nodes, no_sets, no_sets)
