"""Small nets by PyTorch, where it is installed (extra ``torch``)."""

from importlib.util import find_spec
from typing import Any

from ml_orchestrator.training.net_models import NetClassifier, NetRegressor
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem
from ml_orchestrator.training.trainers._balance import balance_from, class_weight

__all__ = ["TorchNet"]


class TorchNet:
    """Layers on piecewise linear columns, several nets in one; learnt by AdamW with early stopping.

    See ``numerics.tabular_net`` for its parts. It is saved as arrays, and loaded and asked
    without PyTorch.
    """

    needs = Needs(categories="one_hot", scales=True, imputes=True, dates="waves")
    first_params: Params = {  # noqa: RUF012 never changed
        "n_pieces": 12,
        "n_blocks": 1,
        "width": 64,
        "n_members": 4,
        "dropout": 0.1,
        "learning_rate": 3e-3,
        "weight_decay": 1e-3,
        "class_weight": "none",
    }

    def fits(self, problem: Problem) -> bool:
        """Return True: it takes every problem."""
        return True

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return bends, size, members, what is dropped, rate, decay, and balance."""
        return {
            "n_pieces": space.integer("n_pieces", 2, 32, log=True),
            "n_blocks": space.integer("n_blocks", 1, 3),
            "width": space.integer("width", 16, 192, log=True),
            "n_members": space.integer("n_members", 1, 8, log=True),
            "dropout": space.real("dropout", 0.0, 0.5),
            "learning_rate": space.real("learning_rate", 3e-4, 2e-2, log=True),
            "weight_decay": space.real("weight_decay", 1e-5, 0.3, log=True),
            **balance_from(space, problem),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; the same seed and cores give the same net on a processor."""
        given: dict[str, Any] = {
            "n_pieces": params["n_pieces"],
            "n_blocks": params["n_blocks"],
            "width": params["width"],
            "n_members": params["n_members"],
            "dropout": params["dropout"],
            "learning_rate": params["learning_rate"],
            "weight_decay": params["weight_decay"],
            "is_ordered": problem.is_ordered,
            "seed": seed,
            "n_jobs": n_jobs,
        }
        if problem.task == "classification":
            return NetClassifier(class_weight=class_weight(params), **given)
        return NetRegressor(quantile=problem.quantile, **given)


if find_spec("torch") is not None:
    TRAINERS.register("torch_net")(TorchNet())
