"""Nearest neighbours."""

from typing import Any

from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import TRAINERS, Needs, Problem

__all__ = ["Nearest"]

MOST_ROWS = 20_000  # with more, finding the nearest takes minutes
POWERS = {"euclidean": 2, "manhattan": 1}


class Nearest:
    """Predicts what the most similar rows had; cannot weigh rows or classes."""

    needs = Needs(categories="one_hot", scales=True, imputes=True, weighs_rows=False)
    first_params: Params = {  # noqa: RUF012 never changed
        "n_neighbours": 15,
        "weights": "distance",
        "distance": "euclidean",
    }

    def fits(self, problem: Problem) -> bool:
        """Return whether classes or a mean are wanted, of at most 20,000 rows."""
        return problem.quantile is None and problem.n_rows <= MOST_ROWS

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return how many neighbours, how they count and what is near."""
        return {
            "n_neighbours": space.integer("n_neighbours", 1, 60, log=True),
            "weights": space.choice("weights", ["distance", "uniform"]),
            "distance": space.choice("distance", list(POWERS)),
        }

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return the estimator; a tree, as distances by products differ in their last bits.

        Neighbours are at most as many as the smallest fold has rows to choose from.
        """
        is_class = problem.task == "classification"
        family = KNeighborsClassifier if is_class else KNeighborsRegressor
        return family(
            n_neighbors=min(int(params["n_neighbours"]), problem.n_fit_rows or MOST_ROWS),
            weights=params["weights"],
            p=POWERS[str(params["distance"])],
            algorithm="kd_tree",
            n_jobs=n_jobs,
        )


TRAINERS.register("nearest")(Nearest())
