"""Extremely randomised trees."""

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from ml_orchestrator.training.trainer import TRAINERS
from ml_orchestrator.training.trainers._trees import TreeEnsemble

__all__ = ["ExtraTrees"]


class ExtraTrees(TreeEnsemble):
    """Trees whose splits are drawn at random (P. Geurts, D. Ernst, L. Wehenkel, 2006)."""

    def __init__(self) -> None:
        super().__init__(ExtraTreesClassifier, ExtraTreesRegressor)


TRAINERS.register("extra_trees")(ExtraTrees())
