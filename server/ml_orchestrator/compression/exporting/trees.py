"""Trees as graphs: the same comparisons, so the same leaves.

The sums over trees leave ONNX Runtime's operator in 32 bits, which is where the small difference
to scikit-learn comes from: about 1e-7 of the value.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.compression.exporting.graph import ML, Value
from ml_orchestrator.compression.exporting.heads import both, said, shares
from ml_orchestrator.compression.exporting.steps import cannot, head

__all__: list[str] = []

Columns = dict[str, NDArray[Any]]


@head(
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "RandomForestRegressor",
    "ExtraTreesRegressor",
)
def _forest(model: Any, value: Value) -> Value:
    """Write the mean of the trees; like them it compares numbers of 32 bits with 64-bit bounds."""
    n_trees = len(model.estimators_)
    trees = [_grown(each.tree_, n_trees) for each in model.estimators_]
    return _ensemble(trees, value.cast("float").cast("double"), 0.0)


@head("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
def _boosted(model: Any, value: Value) -> Value:
    n_each = model.n_trees_per_iteration_
    trees = [
        _predictor(tree, place, n_each)
        for iteration in model._predictors
        for place, tree in enumerate(iteration)
    ]
    start = np.asarray(model._baseline_prediction, np.float64).reshape(1, -1)
    raw = _ensemble(trees, value, start)
    if type(model).__name__ == "HistGradientBoostingRegressor":
        if model.loss not in ("squared_error", "absolute_error", "quantile"):
            raise cannot(model, f"loss {model.loss!r}")
        return raw
    return shares(raw) if n_each > 1 else both(value.graph.op("Sigmoid", raw))


@head("LineThenTrees")
def _line_then_trees(model: Any, value: Value) -> Value:
    return said(model.line_, value) + said(model.trees_, value)


def _grown(tree: Any, n_trees: int) -> Columns:
    """Return the columns of a tree of a forest; its leaves count 1 / ``n_trees``."""
    is_leaf = tree.children_left == -1
    values = tree.value[:, 0, :] if tree.value.shape[2] > 1 else tree.value[:, :, 0]
    if values.shape[1] > 1:
        values = values / values.sum(axis=1, keepdims=True)
    return {
        "is_leaf": is_leaf,
        "feature": np.where(is_leaf, 0, tree.feature),
        "threshold": np.where(is_leaf, 0.0, tree.threshold),
        "left": np.where(is_leaf, 0, tree.children_left),
        "right": np.where(is_leaf, 0, tree.children_right),
        "missing_left": np.zeros(len(is_leaf), dtype=np.int64),
        "values": values / n_trees,
    }


def _predictor(tree: Any, place: int, n_targets: int) -> Columns:
    """Return the columns of a boosted tree, which adds to one target."""
    nodes = tree.nodes
    if nodes["is_categorical"].any():
        raise cannot(tree, "splits by sets of categories")
    values = np.zeros((len(nodes), n_targets))
    values[:, place] = nodes["value"]
    is_leaf = nodes["is_leaf"] != 0
    return {
        "is_leaf": is_leaf,
        "feature": nodes["feature_idx"],
        "threshold": nodes["num_threshold"],
        "left": nodes["left"],
        "right": nodes["right"],
        "missing_left": nodes["missing_go_to_left"],
        "values": values,
        "targets": np.array([place]),
    }


def _ensemble(trees: Sequence[Columns], value: Value, start: Any) -> Value:
    """Write all trees as one node, shape ``(n_rows, n_targets)``, plus ``start``."""
    if not trees:
        raise ValueError("an ensemble without trees")
    n_targets = trees[0]["values"].shape[1]
    leaves = [np.flatnonzero(tree["is_leaf"]) for tree in trees]
    targets = [tree.get("targets", np.arange(n_targets)) for tree in trees]
    weights = [
        tree["values"][np.ix_(rows, own)].ravel()
        for tree, rows, own in zip(trees, leaves, targets, strict=True)
    ]
    pairs = list(zip(leaves, targets, strict=True))
    found = value.graph.op(
        "TreeEnsembleRegressor",
        value,
        domain=ML,
        n_targets=n_targets,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=_numbers(np.full(len(t["is_leaf"]), i) for i, t in enumerate(trees)),
        nodes_nodeids=_numbers(np.arange(len(tree["is_leaf"])) for tree in trees),
        nodes_featureids=_numbers(tree["feature"] for tree in trees),
        nodes_modes=[mode for tree in trees for mode in _modes(tree["is_leaf"])],
        nodes_truenodeids=_numbers(tree["left"] for tree in trees),
        nodes_falsenodeids=_numbers(tree["right"] for tree in trees),
        nodes_missing_value_tracks_true=_numbers(tree["missing_left"] for tree in trees),
        nodes_values_as_tensor=_tensor(tree["threshold"] for tree in trees),
        target_treeids=_numbers(
            np.full(len(rows) * len(own), i) for i, (rows, own) in enumerate(pairs)
        ),
        target_nodeids=_numbers(np.repeat(rows, len(own)) for rows, own in pairs),
        target_ids=_numbers(np.tile(own, len(rows)) for rows, own in pairs),
        target_weights_as_tensor=_tensor(weights),
    )
    return found.cast("double") + value.graph.constant(np.asarray(start, np.float64))


def _modes(is_leaf: NDArray[np.bool_]) -> list[str]:
    return ["LEAF" if each else "BRANCH_LEQ" for each in is_leaf]


def _numbers(parts: Iterable[Any]) -> list[int]:
    return [int(number) for number in np.concatenate(list(parts))]


def _tensor(parts: Iterable[Any]) -> NDArray[np.float64]:
    return np.concatenate(list(parts)).astype(np.float64)
