"""What kind of data set this is, in a few measured numbers.

They are measured on training rows only: the rows that are held out stay unseen.
"""

import math
import warnings
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.splits import Rows
from ml_orchestrator.training.table import TrainingTable, prepare_table

__all__ = ["SCALES", "distance", "meta_features", "meta_features_of"]

MOST_ROWS = 1_500
MOST_COLUMNS = 100
LARGEST_NUMBER = 1e100  # its square is still a number
TREE_DEPTH = 4
SEED = 0
Matrix = NDArray[np.float64]

# A difference of this much counts as one; most features lie between 0 and 1.
SCALES: Mapping[str, float] = MappingProxyType(
    {
        "log10_rows": 1.0,
        "log10_columns": 0.7,
        "categorical_share": 0.4,
        "temporal_share": 0.4,
        "missing_share": 0.2,
        "n_classes": 2.0,
        "imbalance": 0.4,
        "target_skew": 2.0,
        "top_correlation": 0.25,
        "mean_correlation": 0.15,
        "linear_gain": 0.25,
        "tree_gain": 0.25,
    }
)


def meta_features(table: TrainingTable, rows: Rows) -> dict[str, float]:
    """Return the features named in ``SCALES``, all finite; the same rows give the same.

    Sizes and shares describe the whole of ``rows``; correlations and the two landmarks, a linear
    model and a small tree scored by three-fold cross-validation, at most 1,500 rows and 100
    columns of them. A landmark is the share of the squared error (regression) or of the mistakes
    (classification) of the best constant that it saves, at least 0.
    """
    drawn = _drawn(rows)
    features = _numbers(table, rows, drawn)
    codes = table.codes[drawn]
    correlations = _correlations(features, codes)
    kinds, n_columns = table.kinds, len(table.kinds.names)
    found = {
        "log10_rows": float(np.log10(len(rows))),
        "log10_columns": float(np.log10(n_columns)),
        "categorical_share": (len(kinds.categorical) + len(kinds.boolean)) / n_columns,
        "temporal_share": len(kinds.temporal) / n_columns,
        "missing_share": float(table.features.iloc[rows].isna().to_numpy().mean()),
        "n_classes": float(len(table.classes)),
        "imbalance": _imbalance(table, rows),
        "target_skew": _skew(table, rows),
        "top_correlation": float(correlations.max(initial=0.0)),
        "mean_correlation": float(correlations.mean()) if correlations.size else 0.0,
        "linear_gain": _gain(_linear(table), features, codes, table),
        "tree_gain": _gain(_tree(table), features, codes, table),
    }
    return {name: found[name] for name in SCALES}


def meta_features_of(dataset: Dataset, target: str | None) -> dict[str, float]:
    """Return the features of a whole data set; nothing where no model could be trained on it."""
    try:
        table = prepare_table(TrainingSpec(source=dataset.source, target=target), dataset)
    except InvalidInputError:
        return {}
    return meta_features(table, np.arange(len(table.codes)))


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the root mean square of the differences, each divided by its scale.

    A feature that either lacks or that is not finite counts as a difference of 1.
    """
    gaps = [(_number(one, name) - _number(other, name)) / scale for name, scale in SCALES.items()]
    squares = np.square(np.asarray(gaps, dtype=np.float64))
    return float(np.sqrt(np.where(np.isfinite(squares), squares, 1.0).mean()))


def _number(features: Mapping[str, float], name: str) -> float:
    value = features.get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def _drawn(rows: Rows) -> Rows:
    if len(rows) <= MOST_ROWS:
        return rows
    chosen = np.random.default_rng(SEED).choice(len(rows), MOST_ROWS, replace=False)
    return rows[np.sort(chosen)]


def _numbers(table: TrainingTable, rows: Rows, drawn: Rows) -> Matrix:
    """Return columns as standardised numbers: categories by code, missing values at the mean."""
    kinds = table.kinds
    coded = [*kinds.categorical, *kinds.boolean, *kinds.temporal]
    frame = table.features.iloc[drawn]
    parts: list[Matrix] = []
    if kinds.numeric:
        numeric = frame[list(kinds.numeric)[:MOST_COLUMNS]]
        parts.append(numeric.astype("float64").to_numpy())
    if coded:
        texts = frame[coded[:MOST_COLUMNS]].astype("string").fillna("").to_numpy(dtype=object)
        parts.append(OrdinalEncoder().fit_transform(texts))
    if not parts:  # free text alone
        return np.zeros((len(drawn), 0))
    values = np.clip(np.column_stack(parts), -LARGEST_NUMBER, LARGEST_NUMBER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column may have no value here
        values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    spread = values.std(axis=0)
    usable = np.isfinite(spread) & (spread > 0)
    standard: Matrix = (values[:, usable] - values[:, usable].mean(axis=0)) / spread[usable]
    return standard


def _correlations(features: Matrix, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = codes.std()
    if spread == 0 or features.shape[1] == 0:
        return np.zeros(0)
    standard = (codes - codes.mean()) / spread
    correlations: NDArray[np.float64] = np.abs(features.T @ standard) / len(codes)
    return correlations


def _imbalance(table: TrainingTable, rows: Rows) -> float:
    """Return 1 minus the entropy of the classes over its maximum; 0 for a regression."""
    if table.task == "regression":
        return 0.0
    shares = np.bincount(table.codes[rows], minlength=len(table.classes)) / len(rows)
    shares = shares[shares > 0]
    return float(1 + np.sum(shares * np.log(shares)) / np.log(len(table.classes)))


def _skew(table: TrainingTable, rows: Rows) -> float:
    """Return the skewness of a regression's target, within -5 and 5; 0 for classes."""
    values = table.codes[rows].astype(np.float64)
    spread = values.std()
    if table.task == "classification" or spread == 0:
        return 0.0
    return float(np.clip(np.mean(((values - values.mean()) / spread) ** 3), -5, 5))


def _linear(table: TrainingTable) -> LogisticRegression | Ridge:
    return LogisticRegression(max_iter=100) if table.task == "classification" else Ridge()


def _tree(table: TrainingTable) -> DecisionTreeClassifier | DecisionTreeRegressor:
    kind = DecisionTreeClassifier if table.task == "classification" else DecisionTreeRegressor
    return kind(max_depth=TREE_DEPTH, min_samples_leaf=5, random_state=SEED)


def _gain(
    model: LogisticRegression | Ridge | DecisionTreeClassifier | DecisionTreeRegressor,
    features: Matrix,
    codes: NDArray[np.float64],
    table: TrainingTable,
) -> float:
    if features.shape[1] == 0 or len(np.unique(codes)) < 2:
        return 0.0
    folds = KFold(3, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            guesses = cross_val_predict(model, features, codes, cv=folds)
        except ValueError:  # a fold with one class only
            return 0.0
    if table.task == "classification":
        loss = float(np.mean(guesses != codes))
        worst = 1 - float(np.max(np.bincount(codes.astype(int)))) / len(codes)
    else:
        loss, worst = float(np.mean((guesses - codes) ** 2)), float(np.var(codes))
    return max(0.0, 1 - loss / worst) if worst > 0 else 0.0
