"""One search space over several families of models: each parameter under its trainer's name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.faults import near
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.trainer import Problem
from ml_orchestrator.training.trainers import TRAINERS

__all__ = [
    "full",
    "local",
    "suggest_from",
    "too_many_rows",
    "unknown_trainer",
    "unweighing",
    "unweighing_notice",
    "usable",
]

OPTIONAL = {"lightgbm": "lightgbm", "torch_net": "torch"}  # each by its extra


def unknown_trainer(name: str) -> InvalidInputError:
    """Return the error for a trainer that is not in the catalogue; one may be missing an extra."""
    how = (
        f" It is there once its extra is: {pip_install(OPTIONAL[name])}."
        if name in OPTIONAL
        else ""
    )
    why = TRAINERS.why_absent(name)
    return InvalidInputError(
        f"No trainer {name!r}{near(name, TRAINERS)}; known: {', '.join(TRAINERS)}.{how}"
        f"{f' {why}' if why else ''}"
    )


def usable(names: Sequence[str], problem: Problem) -> list[str]:
    """Return the trainers that fit the problem, in the order given.

    Raises:
        InvalidInputError: none does.
        UnavailableError: none does, and one of another package failed.
    """
    fitting, faults = [], []
    for name in names:
        try:
            fitting += [name] if _fits(name, problem) else []
        except UnavailableError as error:  # another package's; the other families go on
            faults.append(error)
    if not fitting and faults:
        raise faults[0]
    if not fitting:
        able = ", ".join(name for name in TRAINERS.ours if _fits(name, problem))
        of_rows = f" of {problem.n_rows:,} rows" if problem.n_rows else ""
        asked = problem.task if problem.quantile is None else f"quantile {problem.quantile:g}"
        raise InvalidInputError(
            f"None of the trainers {', '.join(names)} can do {asked}{of_rows}; these can: {able}."
        )
    return fitting


def _fits(name: str, problem: Problem) -> bool:
    with TRAINERS.calling(name):
        return TRAINERS[name].fits(problem)


def too_many_rows(names: Sequence[str], problem: Problem) -> list[str]:
    """Return a sentence for each trainer that nothing but the number of rows rules out."""
    fewer = replace(problem, n_rows=0)
    return [
        f"{name} was left out: {problem.n_rows:,} rows are more than it takes."
        for name in names
        if name in TRAINERS.ours and _fits(name, fewer) and not _fits(name, problem)
    ]


def unweighing(names: Sequence[str], problem: Problem) -> list[str]:
    """Return those of our trainers that fit the problem, but learn from all rows alike."""
    return [
        name
        for name in names
        if name in TRAINERS.ours and not TRAINERS[name].needs.weighs_rows and _fits(name, problem)
    ]


def unweighing_notice(name: str) -> str:
    """Return the sentence on a trainer that is left out where rows have weights."""
    return (
        f"{name} was left out: it learns from all rows alike, whatever their weight; to have it "
        "tried, name it in trainers."
    )


def full(trainer: str, params: Params) -> Params:
    """Return the parameters as the study knows them: with their trainer, under its name."""
    return {"trainer": trainer, **{f"{trainer}.{name}": value for name, value in params.items()}}


def local(params: Params) -> Params:
    """Undo ``full``, but for the trainer."""
    return {name.rpartition(".")[2]: value for name, value in params.items()}


@dataclass(frozen=True, slots=True)
class _Scoped:
    """A space whose names carry their trainer's."""

    space: ParamSpace
    scope: str

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.space.real(f"{self.scope}.{name}", low, high, log=log)

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self.space.integer(f"{self.scope}.{name}", low, high, log=log)

    def choice(self, name: str, options: Sequence[str]) -> str:
        return self.space.choice(f"{self.scope}.{name}", options)


def suggest_from(names: Sequence[str], problem: Problem) -> Callable[[ParamSpace], Params]:
    """Return what asks a space for one of the trainers, then for its parameters."""

    def suggest(space: ParamSpace) -> Params:
        name = space.choice("trainer", names)
        with TRAINERS.calling(name):
            return {"trainer": name, **TRAINERS[name].suggest(_Scoped(space, name), problem)}

    return suggest
