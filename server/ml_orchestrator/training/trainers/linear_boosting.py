"""Boosting of what a line leaves."""

from typing import Any

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from ml_orchestrator.training.residuals import LineThenTrees
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem

__all__ = ["LinearBoosting"]


class LinearBoosting:
    """A line and trees on its residuals: follows a trend and bends; for numbers only."""

    needs = Needs(categories="one_hot", scales=True, imputes=True, dates="waves")
    first_params: Params = {  # noqa: RUF012 never changed
        "penalty": 1.0,
        "learning_rate": 0.1,
        "n_rounds": 60,
        "n_leaves": 8,
        "min_leaf_rows": 20,
    }

    def fits(self, problem: Problem) -> bool:
        """Return whether the mean of a number is wanted."""
        return problem.task == "regression" and problem.quantile is None

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return the line's penalty, and rate, rounds and size of the trees."""
        return {
            "penalty": space.real("penalty", 1e-3, 1e4, log=True),
            "learning_rate": space.real("learning_rate", 0.02, 0.3, log=True),
            "n_rounds": space.integer("n_rounds", 20, 300, log=True),
            "n_leaves": space.integer("n_leaves", 3, 63, log=True),
            "min_leaf_rows": space.integer("min_leaf_rows", 5, 100, log=True),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; its trees use all cores by OpenMP and come out the same."""
        trees = HistGradientBoostingRegressor(
            learning_rate=params["learning_rate"],
            max_iter=params["n_rounds"],
            max_leaf_nodes=params["n_leaves"],
            min_samples_leaf=params["min_leaf_rows"],
            early_stopping=False,
            categorical_features=None,
            random_state=seed,
        )
        return LineThenTrees(Ridge(alpha=float(params["penalty"])), trees)


TRAINERS.register("linear_boosting")(LinearBoosting())
