"""Logistic, ridge and quantile regression."""

from typing import Any

from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["Linear"]

MOST_QUANTILE_ROWS = 5_000
QUANTILE_PENALTY = 1e-3  # its penalty is per row


class Linear:
    """A weighted sum of scaled columns, held small by a squared penalty.

    For a quantile by an absolute one (R. Koenker, G. Bassett, 1978).
    """

    needs = Needs(categories="one_hot", scales=True, imputes=True, dates="waves")
    first_params: Params = {"penalty": 1.0, "class_weight": "none"}  # noqa: RUF012 never changed

    def fits(self, problem: Problem) -> bool:
        """Return True, but for quantiles of more than 5,000 rows, which take minutes."""
        return problem.quantile is None or problem.n_rows <= MOST_QUANTILE_ROWS

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a strength of the penalty, and the weight of rare classes."""
        penalty = space.real("penalty", 1e-4, 1e4, log=True)
        return {"penalty": penalty, **balance_from(space, problem)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; all solvers are deterministic and use one core."""
        penalty = float(params["penalty"])
        if problem.task == "classification":
            return LogisticRegression(
                C=1 / penalty, max_iter=500, class_weight=class_weight(params)
            )
        if problem.quantile is not None:
            return QuantileRegressor(quantile=problem.quantile, alpha=penalty * QUANTILE_PENALTY)
        return Ridge(alpha=penalty)


TRAINERS.register("linear")(Linear())
