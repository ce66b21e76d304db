"""Gradient boosting by LightGBM, where it is installed (extra ``lightgbm``)."""

from importlib.util import find_spec
from typing import Any

from ml_orchestrator.doors import import_alone
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["LightGbm"]

ESTIMATORS = "ml_orchestrator.training.trainers._lightgbm"  # takes seconds to import


class LightGbm:
    """Trees that correct one another, grown leaf by leaf (G. Ke and others, 2017).

    What is saved are its trees as scikit-learn's (see ``_lightgbm``): a model is loaded without
    LightGBM, and with the checks of every other model.
    """

    needs = Needs(categories="ordinal", scales=False, imputes=False)
    first_params: Params = {  # noqa: RUF012 never changed
        "learning_rate": 0.1,
        "n_rounds": 80,
        "n_leaves": 15,
        "min_leaf_rows": 20,
        "feature_share": 0.8,
        "row_share": 1.0,
        "l2": 1e-2,
        "class_weight": "none",
    }

    def fits(self, problem: Problem) -> bool:
        """Return True: it takes every problem."""
        return True

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return rate, rounds, tree size, shares of columns and rows, penalty, and balance."""
        return {
            "learning_rate": space.real("learning_rate", 0.01, 0.3, log=True),
            "n_rounds": space.integer("n_rounds", 30, 500, log=True),
            "n_leaves": space.integer("n_leaves", 4, 127, log=True),
            "min_leaf_rows": space.integer("min_leaf_rows", 2, 100, log=True),
            "feature_share": space.real("feature_share", 0.2, 1.0),
            "row_share": space.real("row_share", 0.5, 1.0),
            "l2": space.real("l2", 1e-3, 30.0, log=True),
            **balance_from(space, problem),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; the same seed grows the same trees on any number of cores."""
        given = {
            "learning_rate": params["learning_rate"],
            "n_rounds": params["n_rounds"],
            "n_leaves": params["n_leaves"],
            "min_leaf_rows": params["min_leaf_rows"],
            "feature_share": params["feature_share"],
            "row_share": params["row_share"],
            "l2": params["l2"],
            "seed": seed,
            "n_threads": 1 if n_jobs is None else 0,
        }
        estimators = import_alone(ESTIMATORS)
        if problem.task == "classification":
            return estimators.BoostedClassifier(class_weight=class_weight(params), **given)
        return estimators.BoostedRegressor(quantile=problem.quantile, **given)


if find_spec("lightgbm") is not None:
    TRAINERS.register("lightgbm")(LightGbm())
