"""What a model family gives to the search."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.training.models import Task
from ml_orchestrator.training.space import Params, ParamSpace

__all__ = ["TRAINERS", "Needs", "Problem", "Trainer"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a family is told of the problem before it is asked for a model.

    ``is_imbalanced``: the rarest class has less than 40 % of an equal share of the rows.
    ``is_ordered``: later rows are predicted from earlier ones. ``quantile``: what to predict of
    a number, between 0 and 1; None is its mean. ``n_rows``: of the whole table, ``n_fit_rows``:
    those that the smallest fold fits on; 0 is not known.
    """

    task: Task
    n_classes: int = 0
    is_imbalanced: bool = False
    is_ordered: bool = False
    quantile: float | None = None
    n_rows: int = 0
    n_fit_rows: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """How a family wants its columns; see ``DateParts`` for dates.

    ``weighs_rows``: its estimators take ``sample_weight`` when they are fitted.
    """

    categories: Literal["one_hot", "ordinal"]
    scales: bool
    imputes: bool
    dates: Literal["parts", "waves"] = "parts"
    weighs_rows: bool = True


class Trainer(Protocol):
    """One model family: what it needs, where to look and how to build it.

    ``build`` is deterministic in its arguments, and what it builds can be saved by skops with
    ``training.trusted_types``. ``first_params`` lies inside the space that ``suggest`` asks for,
    under the same names, and is tried before the search starts; it may name parameters that a
    problem does not ask for.
    """

    @property
    def needs(self) -> Needs:
        """How the columns are prepared for it, and whether it weighs rows."""
        ...

    @property
    def first_params(self) -> Params:
        """Sound defaults that are quick to fit."""
        ...

    def fits(self, problem: Problem) -> bool:
        """Return whether the family can be used on such a problem at all."""
        ...

    def suggest(self, space: ParamSpace, problem: Problem) -> Params:
        """Return one point of the search space."""
        ...

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        """Return an unfitted scikit-learn estimator."""
        ...


TRAINERS: Catalog[Trainer] = Catalog(
    "trainer",
    extended_by="trainers",
    must_have=("needs", "first_params", "fits", "suggest", "build"),
)
