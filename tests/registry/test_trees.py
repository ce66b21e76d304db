"""Forged decision trees: refused before scikit-learn follows them anywhere."""

import copy
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from tests.registry.estimators import ESTIMATORS, fitted

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles.trees import check_trees


def forged_tree(field: str, value: int) -> Any:
    """A fitted tree whose root says something else in one field."""
    estimator = copy.deepcopy(fitted("DecisionTreeClassifier")[0])
    state = estimator.tree_.__getstate__()
    state["nodes"][field][0] = value
    estimator.tree_.__setstate__(state)
    return estimator


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 0), ("left_child", 10**6), ("right_child", -7), ("right_child", 2**40),
     ("feature", 3), ("feature", -2), ("feature", 2**40)],
)  # fmt: skip
def test_a_node_that_points_elsewhere_is_refused(field: str, value: int) -> None:
    with pytest.raises(IntegrityViolationError, match="not sound: a node"):
        check_trees(forged_tree(field, value))


@pytest.mark.parametrize(
    ("field", "value"),
    [("left", 0), ("right", 10**6), ("feature_idx", 3), ("feature_idx", -1),
     ("is_categorical", 1)],
)  # fmt: skip
def test_a_boosted_node_that_points_elsewhere_is_refused(field: str, value: int) -> None:
    estimator = copy.deepcopy(fitted("HistGradientBoostingClassifier")[0])
    estimator._predictors[0][0].nodes[field][0] = value
    with pytest.raises(IntegrityViolationError, match="not sound: a node"):
        check_trees(estimator)


def test_a_forest_hides_no_tree_that_takes_more_columns_than_it_does_itself() -> None:
    estimator = copy.deepcopy(fitted("RandomForestClassifier")[0])
    wide = np.random.default_rng(0).normal(size=(80, 9))
    other = RandomForestClassifier(3, random_state=0).fit(wide, (wide[:, 8] > 0).astype(int))
    estimator.estimators_ = other.estimators_
    with pytest.raises(IntegrityViolationError, match="other than its 3 columns"):
        check_trees(estimator)


def test_trees_behind_steps_that_add_columns_are_sound() -> None:
    table = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % 3
    stack = StackingClassifier(
        [(f"m{i}", LogisticRegression()) for i in range(3)],
        final_estimator=RandomForestClassifier(3, random_state=0),
        cv=2,
    ).fit(table, labels)
    assert check_trees(stack) == 3
    assert check_trees(CalibratedClassifierCV(ESTIMATORS["Pipeline"], cv=2).fit(
        np.column_stack([table, labels]), labels)) == 4  # fmt: skip
