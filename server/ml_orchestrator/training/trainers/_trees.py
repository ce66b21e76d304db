"""What forests have in common."""

from typing import Any

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["TreeEnsemble"]


class TreeEnsemble:
    """Averages independent trees made by a scikit-learn class."""

    needs = Needs(categories="one_hot", scales=False, imputes=True)
    first_params: Params = {  # noqa: RUF012 never changed
        "n_trees": 100,
        "feature_share": 0.3,
        "min_leaf_rows": 2,
        "class_weight": "none",
    }

    def __init__(self, classifier: Any, regressor: Any) -> None:
        self._classes = {"classification": classifier, "regression": regressor}

    def fits(self, problem: Problem) -> bool:
        """Return whether classes or a mean are wanted."""
        return problem.quantile is None

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a number of trees, a share of columns per split, a leaf size, and balance."""
        return {
            "n_trees": space.integer("n_trees", 50, 300, log=True),
            "feature_share": space.real("feature_share", 0.1, 1.0),
            "min_leaf_rows": space.integer("min_leaf_rows", 1, 30, log=True),
            **balance_from(space, problem),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; the same seed grows the same trees on any number of cores."""
        is_class = problem.task == "classification"
        balance = {"class_weight": class_weight(params)} if is_class else {}
        return self._classes[problem.task](
            n_estimators=params["n_trees"],
            max_features=params["feature_share"],
            min_samples_leaf=params["min_leaf_rows"],
            random_state=seed,
            n_jobs=n_jobs,
            **balance,
        )
