"""What a search is asked for and what it found, free of the library that runs it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ml_orchestrator.training.models import Sampler, StoppedBy
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.space import Params, ParamSpace

__all__ = [
    "Evaluate",
    "FinishedTrial",
    "GivenUpError",
    "Objective",
    "StudyPlan",
    "StudyProgress",
    "StudyResult",
    "TrialFailedError",
    "ranked",
]

Evaluate = Callable[[Params], Iterator[float]]


class TrialFailedError(Exception):
    """A trial's model could not be fitted or scored; the trial is lost, the search goes on."""


class GivenUpError(Exception):
    """A trial ends in the middle of a fold; ``state`` says how: pruned or cut off."""

    def __init__(self, state: Literal["pruned", "cut off"]) -> None:
        super().__init__(f"given up in the middle of a fold: {state}")
        self.state = state


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """Where a study lives, what it optimises and when it ends.

    ``fingerprint`` names the question: a directory holds one study and refuses another's plan.
    ``n_trials`` and ``timeout_s`` may grow between resumptions. The points of ``first`` are tried
    first; once they are finished, each of ``stages`` in turn is asked, with all trials up to there,
    for points to try next. It must answer the same after a resumption.

    ``families`` are the values of the parameter ``family``, of which ``allocation`` chooses one
    for each trial; the rest of its parameters are drawn by ``sampler``, which sees the trials of
    this family. Without families there is one space. ``n_folds`` is how many scores a trial
    yields, if that is known: then no trial is begun that is not expected to end in time.
    ``reserve_s`` is asked how much of the time is needed after the search.

    Parameters of ``option_names`` (a family's, under its name) are never drawn: a given point has
    them or not, and for all others ``options`` is asked with the family and the finished trials.

    ``shelf`` keeps the trials in place of a file in the directory.

    With ``n_costs`` trials are scored by as many costs beside their mean score, which samplers
    and allocation weigh alike, and none is pruned.
    """

    directory: Path
    fingerprint: str
    higher_is_better: bool
    n_trials: int
    timeout_s: float
    seed: int
    first: Sequence[Params] = ()
    stages: Sequence[Callable[[Sequence["FinishedTrial"]], Sequence[Params]]] = ()
    family: str = ""
    families: Sequence[str] = ()
    allocation: str = "bandit"
    sampler: Sampler = "tpe"
    n_folds: int | None = None
    reserve_s: Callable[[Sequence["FinishedTrial"]], float] = lambda _: 0.0
    option_names: Sequence[str] = ()
    options: Callable[[str, Sequence["FinishedTrial"]], Params] = lambda *_: {}
    n_costs: int = 0
    shelf: StudyShelf | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """Where to look and how to score.

    ``suggest`` asks a space for one point. ``evaluate`` yields one score per fold; the value of
    a trial is their mean, and it is closed early when the trial is pruned or time is up. It loses
    its trial by raising ``TrialFailedError`` or by a score that is not finite; any other error
    ends the search. What its models tell by ``epochs`` is heard, and may end the trial by a
    ``GivenUpError``, which it passes on.
    ``forecast`` is asked, for a family of which nothing is known yet, how many seconds a fold
    may take; None begins it without knowing. ``costs`` is asked once all folds are scored.
    ``keep`` is given what a complete trial in another process sent beside its scores.
    """

    suggest: Callable[[ParamSpace], Params]
    evaluate: Evaluate
    forecast: Callable[[Params], float | None] = lambda _: None
    costs: Callable[[Params], Sequence[float]] = lambda _: ()
    keep: Callable[[Params, Any], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """One finished trial.

    ``index`` counts finished trials from 0; ``scores`` are the folds that ran, in order, all
    of them if it is complete; ``error`` says why it failed. ``costs`` are what else a complete
    one was scored by, lower is better. ``curve`` is the loss after each epoch of the first fold,
    of families that learn in epochs. ``added_s`` is by how much it prolonged a search that has
    several trials at once; None is by all of ``seconds``.
    """

    index: int
    state: Literal["complete", "pruned", "failed"]
    params: Params
    scores: tuple[float, ...]
    seconds: float
    error: str
    costs: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    added_s: float | None = None

    @property
    def mean_score(self) -> float:
        """Mean of the folds that ran; NaN if none did."""
        return sum(self.scores) / len(self.scores) if self.scores else float("nan")


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """Where a running study stands; ``eta_s`` is a guess from the trials so far."""

    n_finished: int
    n_trials: int
    n_folds_done: int
    elapsed_s: float
    timeout_s: float
    eta_s: float
    best: FinishedTrial | None


@dataclass(frozen=True, slots=True)
class StudyResult:
    """All finished trials in order, the best complete one, and what ended the search.

    ``elapsed_s`` counts what earlier processes spent on finished trials. ``at_once`` says where
    several trials ran at once, and how many; empty if none did.
    """

    trials: tuple[FinishedTrial, ...]
    best: FinishedTrial
    stopped_by: StoppedBy
    elapsed_s: float = 0.0
    at_once: str = ""


def ranked(trials: Sequence[FinishedTrial], *, higher_is_better: bool) -> list[FinishedTrial]:
    """Return the complete trials, best first; of equal ones the earlier."""
    complete = [trial for trial in trials if trial.state == "complete"]
    # A sort keeps the order of equal ones when it is reversed, too.
    return sorted(complete, key=lambda trial: trial.mean_score, reverse=higher_is_better)
