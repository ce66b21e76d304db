"""Naive Bayes."""

from typing import Any

from sklearn.naive_bayes import GaussianNB

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["NaiveBayes"]


class NaiveBayes:
    """Takes columns to be independent and normal within a class; for classes only."""

    needs = Needs(categories="one_hot", scales=True, imputes=True)
    first_params: Params = {"smoothing": 1e-3, "class_weight": "none"}  # noqa: RUF012 never changed

    def fits(self, problem: Problem) -> bool:
        """Return whether classes are wanted."""
        return problem.task == "classification"

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a share of the largest variance to add to all, and the weight of rare classes."""
        smoothing = space.real("smoothing", 1e-9, 1.0, log=True)
        return {"smoothing": smoothing, **balance_from(space, problem)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; balanced means that each class is as likely as any before."""
        n = problem.n_classes
        priors = [1 / n] * n if class_weight(params) else None
        return GaussianNB(var_smoothing=float(params["smoothing"]), priors=priors)


TRAINERS.register("naive_bayes")(NaiveBayes())
