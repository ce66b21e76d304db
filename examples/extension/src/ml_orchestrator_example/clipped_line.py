"""A trainer: a straight line that never predicts what was never seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem

__all__ = ["ClippedLine", "ClippedLineTrainer"]


class ClippedLine(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression whose answers stay between the least and the largest that it was shown.

    Args:
        penalty: above 0; how much large weights cost.
    """

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty

    def fit(self, X: Any, y: NDArray[Any]) -> "ClippedLine":  # noqa: N803 scikit-learn's name
        """Fit the line and note the range of ``y``, of shape ``(n_samples,)``."""
        self.line_ = Ridge(alpha=self.penalty).fit(X, y)
        self.low_, self.high_ = float(np.min(y)), float(np.max(y))
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 scikit-learn's name
        """Return an answer for each row, of shape ``(n_samples,)``."""
        answers: NDArray[Any] = np.clip(self.line_.predict(X), self.low_, self.high_)
        return answers


class ClippedLineTrainer:
    """For numbers; quantiles are not its business."""

    needs = Needs(categories="one_hot", scales=True, imputes=True)
    first_params: Params = {"penalty": 1.0}  # noqa: RUF012 never changed

    def fits(self, problem: Problem) -> bool:
        """Return whether the mean of a number is wanted."""
        return problem.task == "regression" and problem.quantile is None

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a strength of the penalty."""
        return {"penalty": space.real("penalty", 1e-4, 1e4, log=True)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; nothing in it is drawn."""
        return ClippedLine(penalty=float(params["penalty"]))


TRAINERS.register("clipped_line")(ClippedLineTrainer())
