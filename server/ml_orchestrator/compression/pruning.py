"""Ensembles with fewer members, fewer trees and smaller trees, as far as quality allows.

How much to cut is chosen on a model of the same kind that was fitted without the rows it is
judged on; the same cut is then made of the saved one, whose trees stay as they are. Within a tree
of a forest, what gains least is cut first (L. Breiman and others, Classification and regression
trees, 1984: minimal cost-complexity).
"""

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from ml_orchestrator.compression.quality import Bar
from ml_orchestrator.errors import InvalidInputError

__all__ = ["Cut", "choose_cut", "cut", "n_nodes"]

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
STRENGTHS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3)  # of the impurity of a tree's root
_FORESTS = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)
_BOOSTED = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


@dataclass(frozen=True, slots=True)
class Cut:
    """How much is left.

    Attributes:
        n_members: of an average, those that weigh most.
        share: of the trees, or of the rounds of boosting, the first; above 0, at most 1.
        strength: of cost-complexity pruning within each tree of a forest; 0 leaves trees alone.
    """

    n_members: int
    share: float
    strength: float

    def __str__(self) -> str:
        trees = (
            f", trees cut at {self.strength:g} of their root's impurity" if self.strength else ""
        )
        return f"{self.n_members} of its members, {self.share:.0%} of their trees{trees}"


def choose_cut(
    model: Any,
    score: Callable[[Any], float],
    bar: Bar,
    *,
    tell: Callable[[int, int], None] = lambda number, n_all: None,
) -> Cut | None:
    """Return the cut that leaves fewest nodes at a loss of at most half the tolerance.

    Args:
        model: like the saved one, but fitted without the rows that ``score`` judges by.
        score: the metric of a model on these rows.
        bar: the metric's direction, its baseline there, and the tolerance.
        tell: told how many cuts of how many were tried.

    Returns:
        None where every cut costs too much.

    Raises:
        InvalidInputError: there are no trees to cut and no members to leave out.
    """
    cuts = list(_cuts(model))
    wanted = score(model)
    best: tuple[int, Cut] | None = None
    for number, each in enumerate(cuts):
        tell(number, len(cuts))
        smaller = cut(model, each)
        nodes = n_nodes(smaller)
        if best is not None and nodes >= best[0]:
            continue
        if bar.is_close(score(smaller), wanted):
            best = (nodes, each)
    return None if best is None else best[1]


def cut(model: Any, how: Cut) -> Any:
    """Return a smaller copy of a fitted pipeline, or of an average of such; the model stays."""
    if not hasattr(model, "members"):
        return _cut_pipeline(model, how)
    order = sorted(range(len(model.members)), key=lambda i: (-model.weights[i], i))
    kept = sorted(order[: how.n_members])
    total = sum(model.weights[i] for i in kept)
    parts = model.get_params(deep=False)
    parts["members"] = [
        (model.members[i][0], _cut_pipeline(model.members[i][1], how)) for i in kept
    ]
    parts["weights"] = [model.weights[i] / total for i in kept]
    return type(model)(**parts)


def n_nodes(model: Any) -> int:
    """Return how many nodes the trees of a model have, and 1 for each member."""
    if hasattr(model, "members"):
        return sum(n_nodes(member) for _, member in model.members)
    return 1 + sum(_nodes_of(part) for part in _ensembles(model))


def _cuts(model: Any) -> Iterator[Cut]:
    members = [m for _, m in model.members] if hasattr(model, "members") else [model]
    parts = [part for member in members for part in _ensembles(member)]
    if not parts and len(members) == 1:
        name = type(members[0].steps[-1][1]).__name__
        raise InvalidInputError(
            f"{name} has no trees to cut and no members to leave out. Use distil, or onnx and "
            "quantise for what is made of matrix products."
        )
    has_forest = any(type(part).__name__ in _FORESTS for part in parts)
    shares = SHARES if parts else (1.0,)
    strengths = STRENGTHS if has_forest else (0.0,)
    for n_members, share, strength in itertools.product(
        range(1, len(members) + 1), shares, strengths
    ):
        if (n_members, share, strength) != (len(members), 1.0, 0.0):
            yield Cut(n_members, share, strength)


def _ensembles(pipeline: Any) -> list[Any]:
    """Return what of a pipeline's model is made of trees."""
    model = pipeline.steps[-1][1]
    if type(model).__name__ == "LineThenTrees":
        return [model.trees_]
    return [model] if type(model).__name__ in (*_FORESTS, *_BOOSTED) else []


def _cut_pipeline(pipeline: Any, how: Cut) -> Pipeline:
    name, model = pipeline.steps[-1]
    smaller = Pipeline([*pipeline.steps[:-1], (name, _cut_model(model, how))])
    return smaller


def _cut_model(model: Any, how: Cut) -> Any:
    smaller = copy.copy(model)
    if type(model).__name__ == "LineThenTrees":
        smaller.trees_ = _cut_model(model.trees_, how)
    elif type(model).__name__ in _BOOSTED:
        smaller._predictors = model._predictors[: _n_left(len(model._predictors), how)]
        smaller.max_iter = len(smaller._predictors)
    elif type(model).__name__ in _FORESTS:
        trees = model.estimators_[: _n_left(len(model.estimators_), how)]
        smaller.estimators_ = [_pruned(tree, how.strength) for tree in trees]
        smaller.n_estimators = len(smaller.estimators_)
    return smaller


def _n_left(n: int, how: Cut) -> int:
    return max(1, round(n * how.share))


def _pruned(tree: Any, strength: float) -> Any:
    if strength == 0:
        return tree
    smaller = copy.copy(tree)
    smaller.ccp_alpha = strength * float(tree.tree_.impurity[0])
    smaller._prune_tree()  # scikit-learn 1.9: what fit calls at its end
    smaller.ccp_alpha = 0.0
    return smaller


def _nodes_of(part: Any) -> int:
    if type(part).__name__ in _FORESTS:
        return sum(tree.tree_.node_count for tree in part.estimators_)
    return sum(len(tree.nodes) for iteration in part._predictors for tree in iteration)
