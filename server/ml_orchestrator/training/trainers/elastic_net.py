"""Linear models that leave columns out."""

from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import ElasticNet as Regressor
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["ElasticNet"]

USUAL_ROWS = 1_000  # at which a penalty means the same for a number as for classes


class ElasticNet:
    """A weighted sum under an absolute and a squared penalty (H. Zou, T. Hastie, 2005).

    The target is scaled, so that a penalty means the same in any unit.
    """

    needs = Needs(categories="one_hot", scales=True, imputes=True, dates="waves")
    first_params: Params = {  # noqa: RUF012 never changed
        "penalty": 3.0,
        "l1_share": 0.5,
        "class_weight": "none",
    }

    def fits(self, problem: Problem) -> bool:
        """Return whether classes or a mean are wanted."""
        return problem.quantile is None

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return the strength of the penalties, the share of the absolute one, and balance."""
        return {
            "penalty": space.real("penalty", 1e-2, 1e3, log=True),
            "l1_share": space.real("l1_share", 0.05, 1.0),
            **balance_from(space, problem),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; it uses one core."""
        penalty, share = float(params["penalty"]), float(params["l1_share"])
        if problem.task == "classification":
            return LogisticRegression(
                C=1 / penalty,
                l1_ratio=share,
                solver="saga",
                tol=1e-3,
                max_iter=200,
                class_weight=class_weight(params),
                random_state=seed,
            )
        net = Regressor(alpha=penalty / USUAL_ROWS, l1_ratio=share, tol=1e-3)
        return TransformedTargetRegressor(net, transformer=StandardScaler())


TRAINERS.register("elastic_net")(ElasticNet())
