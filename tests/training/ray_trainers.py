"""A plug-in for the tests on Ray: families that take their process along, or never end."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem

__all__ = ["NAMES", "NOTES"]

NAMES = ("deadly", "endless")
NOTES = "TEST_RAY_NOTES"  # a folder; a file in it is named by the process that wrote it


class Deadly(LogisticRegression):  # type: ignore[misc]
    """Kills its process."""

    def fit(self, features: Any, target: Any) -> "Deadly":
        """Do not return."""
        os.kill(os.getpid(), signal.SIGKILL)
        return self


class Endless(LogisticRegression):  # type: ignore[misc]
    """Notes its process, and sleeps."""

    def fit(self, features: Any, target: Any) -> "Endless":
        """Do not return."""
        (Path(os.environ[NOTES]) / str(os.getpid())).touch()
        while True:
            time.sleep(0.1)


class Family:
    """A family of one model that has one parameter."""

    needs = Needs(categories="one_hot", scales=True, imputes=True)
    first_params: Params = {"penalty": 1.0}  # noqa: RUF012 never changed

    def __init__(self, estimator: type[LogisticRegression]) -> None:
        self._estimator = estimator

    def fits(self, problem: Problem) -> bool:
        """Return whether there are classes."""
        return problem.task == "classification"

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return a penalty."""
        return {"penalty": space.real("penalty", 0.1, 10.0, log=True)}

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator."""
        return self._estimator(C=1 / float(params["penalty"]))


TRAINERS.register("deadly")(Family(Deadly))
TRAINERS.register("endless")(Family(Endless))
