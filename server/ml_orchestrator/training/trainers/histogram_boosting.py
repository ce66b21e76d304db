"""Gradient boosting on binned columns."""

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ml_orchestrator.training.models import Task
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs

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
    }

    def suggest(self, space: ParamSpace) -> Params:
        """Return rate, rounds, tree size and penalties."""
        return {
            "learning_rate": space.real("learning_rate", 0.02, 0.3, log=True),
            "n_rounds": space.integer("n_rounds", 30, 300, log=True),
            "n_leaves": space.integer("n_leaves", 4, 63, log=True),
            "min_leaf_rows": space.integer("min_leaf_rows", 5, 100, log=True),
            "l2": space.real("l2", 1e-4, 10.0, log=True),
        }

    def build(self, task: Task, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; it uses all cores by OpenMP and gives the same trees."""
        is_class = task == "classification"
        boosting = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
        return boosting(
            learning_rate=params["learning_rate"],
            max_iter=params["n_rounds"],
            max_leaf_nodes=params["n_leaves"],
            min_samples_leaf=params["min_leaf_rows"],
            l2_regularization=params["l2"],
            early_stopping=False,
            categorical_features=None,
            random_state=seed,
        )


TRAINERS.register("histogram_boosting")(HistogramBoosting())
