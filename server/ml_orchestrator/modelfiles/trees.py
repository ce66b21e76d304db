"""Decision trees of other hands: their nodes must point to nodes and columns that exist.

scikit-learn 1.9 follows what a node says without looking, so a forged tree that loads well can
crash the process at its first prediction, or read memory that is not its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["check_trees"]

MAX_OBJECTS = 20_000_000
# They look at the table once, and hand it to their trees unseen.
_FORESTS = (BaseForest, BaseGradientBoosting, BaseHistGradientBoosting, IsolationForest)
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, np.generic, np.dtype)


@dataclass(frozen=True, slots=True)
class _Columns:
    """How many columns the nearest estimator takes, and whether those within look again."""

    n: int | None
    is_final: bool


def check_trees(estimator: Any) -> int:
    """Look at every tree in an estimator, wherever it lies, and return how many there are.

    Raises:
        IntegrityViolationError: a tree points out of itself or out of the table.
    """
    n_trees = 0
    for tree, n_features in _trees(estimator):
        n_trees += 1
        if isinstance(tree, Tree):
            _check_tree(tree, n_features)
        else:
            _check_predictor(tree, n_features)
    return n_trees


def _trees(root: Any) -> Iterator[tuple[Any, int | None]]:
    """Give each tree with the number of columns that whoever asks it lets through."""
    pending: list[tuple[Any, _Columns]] = [(root, _Columns(None, is_final=False))]
    seen: dict[tuple[int, _Columns], Any] = {}  # keeps what it names alive, so ids stay apart
    while pending:
        thing, columns = pending.pop()
        if isinstance(thing, _PLAIN) or (id(thing), columns) in seen:
            continue
        seen[id(thing), columns] = thing
        if len(seen) > MAX_OBJECTS:
            raise _refused(f"it is one of more than {MAX_OBJECTS} objects")
        columns = _narrowed(thing, columns)
        if isinstance(thing, Tree | TreePredictor):
            yield thing, columns.n
        else:
            pending += [(part, columns) for part in _parts(thing)]


def _narrowed(thing: Any, columns: _Columns) -> _Columns:
    own = getattr(thing, "__dict__", {}).get("n_features_in_")
    if not isinstance(own, int | np.integer):
        return columns
    n = min(int(own), columns.n) if columns.is_final and columns.n is not None else int(own)
    return _Columns(n, is_final=columns.is_final or isinstance(thing, _FORESTS))


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)
    if isinstance(thing, np.ndarray):
        return thing.ravel().tolist() if thing.dtype.hasobject else []
    return list(getattr(thing, "__dict__", {}).values())


def _check_tree(tree: Tree, n_features: int | None) -> None:
    nodes = tree.__getstate__()["nodes"]
    inner = nodes["left_child"] != -1
    _check_children(nodes["left_child"], inner)
    _check_children(nodes["right_child"], inner)
    limit = tree.n_features if n_features is None else n_features
    _check_range(nodes["feature"][inner], min(limit, tree.n_features), "columns")


def _check_predictor(tree: TreePredictor, n_features: int | None) -> None:
    nodes = tree.nodes
    if nodes.ndim != 1 or not nodes.dtype.names or not len(nodes):
        raise _refused("it has no nodes")
    inner = nodes["is_leaf"] == 0
    _check_children(nodes["left"], inner)
    _check_children(nodes["right"], inner)
    if n_features is None:
        raise _refused("nobody says how many columns it takes")
    _check_range(nodes["feature_idx"][inner], n_features, "columns")
    sets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    for bits in (tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets):
        if bits.ndim != 2 or bits.shape[1] != 8:
            raise _refused("its sets of categories have another shape")
        _check_range(sets, len(bits), "sets of categories")


def _check_children(children: "np.ndarray[Any, Any]", inner: "np.ndarray[Any, Any]") -> None:
    """A child comes after its parent, in each builder of scikit-learn; so there is no circle."""
    parents = np.flatnonzero(inner)
    below = children[inner].astype(np.int64)
    if ((below <= parents) | (below >= len(children))).any():
        raise _refused("a node's child is no node after it")


def _check_range(values: "np.ndarray[Any, Any]", n: int, what: str) -> None:
    if len(values) and (values.min() < 0 or values.max() >= n):
        raise _refused(f"a node asks for other than its {n} {what}")


def _refused(why: str) -> IntegrityViolationError:
    return IntegrityViolationError(f"The model holds a decision tree that is not sound: {why}.")
