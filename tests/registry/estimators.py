"""Ordinary scikit-learn estimators, small, fitted on one table."""

import functools
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    QuantileRegressor,
    SGDClassifier,
)
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

_PREPARED = make_pipeline(
    ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
            ("kinds", OneHotEncoder(handle_unknown="ignore"), [2]),
        ]
    ),
    RandomForestClassifier(2, random_state=0),
)
ESTIMATORS: dict[str, Any] = {
    "LogisticRegression": LogisticRegression(),
    "LinearRegression": LinearRegression(),
    "ElasticNet": ElasticNet(),
    "SGDClassifier": SGDClassifier(random_state=0),
    "SVC": SVC(),
    "KNeighborsClassifier": KNeighborsClassifier(),
    "GaussianNB": GaussianNB(),
    "DecisionTreeClassifier": DecisionTreeClassifier(random_state=0),
    "RandomForestClassifier": RandomForestClassifier(3, random_state=0),
    "ExtraTreesRegressor": ExtraTreesRegressor(3, random_state=0),
    "GradientBoostingClassifier": GradientBoostingClassifier(n_estimators=3, random_state=0),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=3),
    "HistGradientBoostingRegressor": HistGradientBoostingRegressor(max_iter=3),
    "AdaBoostClassifier": AdaBoostClassifier(n_estimators=3, random_state=0),
    "IsolationForest": IsolationForest(n_estimators=3, random_state=0),
    "MLPClassifier": MLPClassifier((4,), max_iter=20, random_state=0),
    "KNeighborsRegressor": KNeighborsRegressor(p=1, algorithm="kd_tree"),
    "QuantileRegressor": QuantileRegressor(quantile=0.8, alpha=0.01),
    "MLPRegressor, scaled target": TransformedTargetRegressor(
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0),
        transformer=StandardScaler(),
    ),
    "TargetEncoder": make_pipeline(
        TargetEncoder(cv=KFold(5, shuffle=True, random_state=0)), LogisticRegression()
    ),
    "Pipeline": _PREPARED,
}


@functools.cache
def fitted(name: str) -> tuple[Any, "np.ndarray[Any, Any]"]:
    """Return the fitted estimator and the table it was fitted on, ``(80, 3)``."""
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=(80, 2)), rng.integers(0, 4, 80)])
    labels = (table[:, 0] + rng.normal(size=80) > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the small net does not converge
        return clone(ESTIMATORS[name]).fit(table, labels), table
