"""Gradient boosting on binned columns."""

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["HistogramBoosting"]


class HistogramBoosting:
    """Trees that correct one another; takes missing values as they are.

    Categories come as ordinal codes and not as scikit-learn's native categories: those put a
    function into the saved file, which we do not load.
    """

    needs = Needs(categories="ordinal", scales=False, imputes=False)
    first_params: Params = {  # noqa: RUF012 never changed
        "learning_rate": 0.1,
        "n_rounds": 60,
        "n_leaves": 15,
        "min_leaf_rows": 20,
        "l2": 1e-3,
        "feature_share": 1.0,
        "class_weight": "none",
    }

    def fits(self, problem: Problem) -> bool:
        """Return True: it takes every problem."""
        return True

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return rate, rounds, tree size, penalties, share of columns per split, and balance."""
        return {
            "learning_rate": space.real("learning_rate", 0.02, 0.3, log=True),
            "n_rounds": space.integer("n_rounds", 30, 300, log=True),
            "n_leaves": space.integer("n_leaves", 4, 63, log=True),
            "min_leaf_rows": space.integer("min_leaf_rows", 5, 100, log=True),
            "l2": space.real("l2", 1e-4, 10.0, log=True),
            "feature_share": space.real("feature_share", 0.3, 1.0),
            **balance_from(space, problem),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; it uses all cores by OpenMP and gives the same trees.

        From 10,000 rows on it stops early on a tenth of them, unless they are in time order.
        """
        return _family(
            problem,
            params,
            learning_rate=params["learning_rate"],
            max_iter=params["n_rounds"],
            max_leaf_nodes=params["n_leaves"],
            min_samples_leaf=params["min_leaf_rows"],
            l2_regularization=params["l2"],
            max_features=params["feature_share"],
            early_stopping=False if problem.is_ordered else "auto",
            categorical_features=None,
            random_state=seed,
        )


def _family(problem: Problem, params: Params, **given: Any) -> Any:
    if problem.task == "classification":
        return HistGradientBoostingClassifier(class_weight=class_weight(params), **given)
    if problem.quantile is None:
        return HistGradientBoostingRegressor(**given)
    return HistGradientBoostingRegressor(loss="quantile", quantile=problem.quantile, **given)


TRAINERS.register("histogram_boosting")(HistogramBoosting())
