"""What forests have in common."""

from typing import Any

from ml_orchestrator.training.models import Task
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import Needs

__all__ = ["TreeEnsemble"]


class TreeEnsemble:
    """Averages independent trees made by a scikit-learn class."""

    needs = Needs(categories="one_hot", scales=False, imputes=True)
    first_params: Params = {  # noqa: RUF012 never changed
        "n_trees": 100,
        "feature_share": 0.3,
        "min_leaf_rows": 2,
    }

    def __init__(self, classifier: Any, regressor: Any) -> None:
        self._classes = {"classification": classifier, "regression": regressor}

    def suggest(self, space: ParamSpace) -> Params:
        """Return a number of trees, a share of columns per split and a leaf size."""
        return {
            "n_trees": space.integer("n_trees", 50, 300, log=True),
            "feature_share": space.real("feature_share", 0.1, 1.0),
            "min_leaf_rows": space.integer("min_leaf_rows", 1, 30, log=True),
        }

    def build(self, task: Task, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; the same seed grows the same trees on any number of cores."""
        return self._classes[task](
            n_estimators=params["n_trees"],
            max_features=params["feature_share"],
            min_samples_leaf=params["min_leaf_rows"],
            random_state=seed,
            n_jobs=n_jobs,
        )
