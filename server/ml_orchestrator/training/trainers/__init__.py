"""Model families; importing the package fills the catalogue."""

from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem, Trainer
from ml_orchestrator.training.trainers.elastic_net import ElasticNet
from ml_orchestrator.training.trainers.extra_trees import ExtraTrees
from ml_orchestrator.training.trainers.forest import Forest
from ml_orchestrator.training.trainers.histogram_boosting import HistogramBoosting
from ml_orchestrator.training.trainers.light_gbm import LightGbm
from ml_orchestrator.training.trainers.linear import Linear
from ml_orchestrator.training.trainers.linear_boosting import LinearBoosting
from ml_orchestrator.training.trainers.naive_bayes import NaiveBayes
from ml_orchestrator.training.trainers.nearest import Nearest
from ml_orchestrator.training.trainers.neural_net import NeuralNet
from ml_orchestrator.training.trainers.torch_net import TorchNet

__all__ = [
    "TRAINERS",
    "ElasticNet",
    "ExtraTrees",
    "Forest",
    "HistogramBoosting",
    "LightGbm",
    "Linear",
    "LinearBoosting",
    "NaiveBayes",
    "Nearest",
    "Needs",
    "NeuralNet",
    "Problem",
    "TorchNet",
    "Trainer",
]
