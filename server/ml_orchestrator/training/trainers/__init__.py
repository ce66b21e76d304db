"""Model families; importing the package fills the catalogue."""

from ml_orchestrator.training.trainer import TRAINERS, Needs, Trainer
from ml_orchestrator.training.trainers.extra_trees import ExtraTrees
from ml_orchestrator.training.trainers.forest import Forest
from ml_orchestrator.training.trainers.histogram_boosting import HistogramBoosting
from ml_orchestrator.training.trainers.linear import Linear

__all__ = [
    "TRAINERS",
    "ExtraTrees",
    "Forest",
    "HistogramBoosting",
    "Linear",
    "Needs",
    "Trainer",
]
