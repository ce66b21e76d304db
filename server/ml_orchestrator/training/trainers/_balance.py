"""Whether rare classes count as much as common ones, where a family can do that."""

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import Problem

__all__ = ["balance_from", "class_weight"]

NAME = "class_weight"


def balance_from(space: ParamSpace, problem: Problem) -> Params:
    """Return the choice between rows and classes of equal weight; nothing if it is no question."""
    return {NAME: space.choice(NAME, ["none", "balanced"])} if problem.is_imbalanced else {}


def class_weight(params: Params) -> str | None:
    """Return what scikit-learn calls ``class_weight``."""
    return "balanced" if params.get(NAME) == "balanced" else None
