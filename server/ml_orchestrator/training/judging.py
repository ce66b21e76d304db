"""From a recipe to the model, and what the model is worth on rows that were never looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from ml_orchestrator.training.blend import BlendedClassifier, BlendedRegressor
from ml_orchestrator.training.families import local
from ml_orchestrator.training.holdout import fit, permutation_importances, predict
from ml_orchestrator.training.intervals import cluster_numbers
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import Importance, Slice
from ml_orchestrator.training.past import remember
from ml_orchestrator.training.refining import Recipe
from ml_orchestrator.training.slices import worst_slices
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.table import TrainingTable

__all__ = ["Build", "Judged", "judge", "let_look_back", "make_model"]

Build = Callable[[Params], Pipeline]
"""Returns the unfitted pipeline of a trainer's parameters, its name among them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The model, fitted, and what it does on the held-out rows."""

    model: Any
    predictions: Predictions
    importances: tuple[Importance, ...]
    slices: tuple[Slice, ...]
    n_slices: int


def make_model(recipe: Recipe, build: Build, table: TrainingTable, split: Split) -> Any:
    """Return what the recipe says, fitted on the training rows: one pipeline, or a blend."""
    fitted = [fit(build(local(trial.params)), table, split.train) for trial, _ in recipe.members]
    if recipe.is_plain:
        return fitted[0]
    members = [(f"member_{number}", pipeline) for number, pipeline in enumerate(fitted, 1)]
    weights = [weight for _, weight in recipe.members]
    if table.task == "regression":
        return BlendedRegressor(members, weights)
    return BlendedClassifier(members, weights, recipe.scale, recipe.shift, recipe.threshold)


def let_look_back(model: Any, table: TrainingTable, split: Split) -> None:
    """Let a model of time series know the held-out rows, which its next ones come after.

    It learns nothing from them: they are values that were known before what is predicted.
    """
    if table.kinds.past is not None:
        remember(model, table.features.iloc[split.test])


def judge(
    model: Any, table: TrainingTable, split: Split, *, seed: int, importances_s: float
) -> Judged:
    """Predict the held-out rows and look at the answers; nothing is decided by them.

    ``importances_s`` bounds the time that shuffling columns takes.
    """
    rows = split.test
    features = table.features.iloc[rows]
    given = predict(model, features, table, rows)
    groups = None if table.groups is None else table.groups[rows]
    clusters = cluster_numbers(len(rows), groups, is_ordered=table.times is not None)
    slices, n_slices = worst_slices(features, table.kinds, given, clusters)
    importances = permutation_importances(
        model, table, rows, metric=table.metric, seed=seed, within_s=importances_s
    )
    return Judged(model, given, importances, slices, n_slices)
