"""What a model family gives to the search."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.training.models import Task
from ml_orchestrator.training.space import Params, ParamSpace

__all__ = ["TRAINERS", "Needs", "Trainer"]


@dataclass(frozen=True, slots=True)
class Needs:
    """How a family wants its columns."""

    categories: Literal["one_hot", "ordinal"]
    scales: bool
    imputes: bool


class Trainer(Protocol):
    """One model family: what it needs, where to look and how to build it.

    ``build`` is deterministic in its arguments, and what it builds can be saved by skops with
    ``training.trusted_types``. ``first_params`` lies inside the space that ``suggest`` asks for,
    under the same names, and is tried before the search starts.
    """

    @property
    def needs(self) -> Needs:
        """How the columns are prepared for it."""
        ...

    @property
    def first_params(self) -> Params:
        """Sound defaults that are quick to fit."""
        ...

    def suggest(self, space: ParamSpace) -> Params:
        """Return one point of the search space."""
        ...

    def build(self, task: Task, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return an unfitted scikit-learn estimator."""
        ...


TRAINERS: Catalog[Trainer] = Catalog("trainer")
