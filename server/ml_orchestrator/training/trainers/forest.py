"""Random forests."""

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from ml_orchestrator.training.trainer import TRAINERS
from ml_orchestrator.training.trainers._trees import TreeEnsemble

__all__ = ["Forest"]


class Forest(TreeEnsemble):
    """Trees on resampled rows, each split the best of a few columns (L. Breiman, 2001)."""

    def __init__(self) -> None:
        super().__init__(RandomForestClassifier, RandomForestRegressor)


TRAINERS.register("forest")(Forest())
