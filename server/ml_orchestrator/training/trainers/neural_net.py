"""Small neural nets."""

from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem

__all__ = ["NeuralNet"]

BATCH_ROWS = 64


class NeuralNet:
    """Fully connected layers trained by Adam until a tenth of the rows no longer gains."""

    needs = Needs(categories="one_hot", scales=True, imputes=True, dates="waves")
    first_params: Params = {  # noqa: RUF012 never changed
        "n_layers": 1,
        "width": 64,
        "learning_rate": 3e-3,
        "l2": 1e-4,
    }

    def fits(self, problem: Problem) -> bool:
        """Return whether classes or a mean are wanted."""
        return problem.quantile is None

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return the size of the net, its rate and its penalty."""
        return {
            "n_layers": space.integer("n_layers", 1, 3),
            "width": space.integer("width", 16, 192, log=True),
            "learning_rate": space.real("learning_rate", 3e-4, 2e-2, log=True),
            "l2": space.real("l2", 1e-6, 1.0, log=True),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; a number to predict is scaled."""
        is_class = problem.task == "classification"
        net = (MLPClassifier if is_class else MLPRegressor)(
            hidden_layer_sizes=(int(params["width"]),) * int(params["n_layers"]),
            learning_rate_init=float(params["learning_rate"]),
            alpha=float(params["l2"]),
            batch_size=BATCH_ROWS,
            max_iter=150,
            early_stopping=True,
            n_iter_no_change=15,
            random_state=seed,
        )
        return net if is_class else TransformedTargetRegressor(net, transformer=StandardScaler())


TRAINERS.register("neural_net")(NeuralNet())
