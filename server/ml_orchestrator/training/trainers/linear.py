"""Logistic and ridge regression."""

from typing import Any

from sklearn.linear_model import LogisticRegression, Ridge

from ml_orchestrator.training.models import Task
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs

__all__ = ["Linear"]


class Linear:
    """A weighted sum of scaled columns, held small by a squared penalty."""

    needs = Needs(categories="one_hot", scales=True, imputes=True)
    first_params: Params = {"penalty": 1.0}  # noqa: RUF012 never changed

    def suggest(self, space: ParamSpace) -> Params:
        """Return a strength of the penalty."""
        return {"penalty": space.real("penalty", 1e-4, 1e4, log=True)}

    def build(self, task: Task, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; both solvers are deterministic and use one core."""
        penalty = float(params["penalty"])
        if task == "classification":
            return LogisticRegression(C=1 / penalty, max_iter=500)
        return Ridge(alpha=penalty)


TRAINERS.register("linear")(Linear())
