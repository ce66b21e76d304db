"""What a plan asks for next, seen from its finished trials; neither a clock nor a disk."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.front import layers
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import FinishedTrial, StudyPlan, ranked

__all__ = ["N_RANDOM", "Course", "Rivals", "is_behind", "is_hopeless"]

N_RANDOM = 5  # trials after the first ones before the sampler models the space
FIRST_PRUNED_FOLD = 1  # counted from 0: two folds are always run
N_EPOCHS_RUN = 10  # always, before a trial may be given up in the middle of a fold
N_CURVES = 5  # of complete trials that it is compared with


@dataclass(frozen=True, slots=True)
class Rivals:
    """The complete trials that one trial is compared with while it runs.

    ``scores`` are those of their folds, higher is better once multiplied by ``sign``; ``curves``
    are their losses by epoch, of the trial's family with the same options: of the same rows and
    the same target.
    """

    sign: float
    n_first: int
    scores: tuple[tuple[float, ...], ...] = ()
    curves: tuple[tuple[float, ...], ...] = ()

    def have_outrun(self, scores: Sequence[float]) -> bool:
        """Return whether a trial with these scores so far is not worth its other folds."""
        complete = [[self.sign * score for score in others] for others in self.scores]
        return is_hopeless([self.sign * score for score in scores], complete, n_first=self.n_first)

    def have_learnt_more(self, curve: Sequence[float]) -> bool:
        """Return whether a trial with this curve so far is not worth the rest of its first fold."""
        return is_behind(curve, self.curves)


class Course:
    """A plan and its finished ``trials``, in order of their index.

    ``at_work`` are the families of trials that have begun and not finished, where several run at
    once.
    """

    def __init__(self, plan: StudyPlan, trials: list[FinishedTrial]) -> None:
        self._plan = plan
        self._sign = 1.0 if plan.higher_is_better else -1.0
        self._passed_over: set[str] = set()
        self._over: set[str] = set()
        self.trials = trials
        self.at_work: list[str] = []

    def add(self, trial: FinishedTrial) -> None:
        """Take a finished trial in."""
        insort(self.trials, trial, key=lambda known: known.index)

    def free_index(self, taken: Sequence[int] = ()) -> int:
        """Return the first index that no trial has; ``taken`` are those of trials that run."""
        used = {*taken, *(trial.index for trial in self.trials)}
        return next(index for index in count() if index not in used)

    def best(self) -> FinishedTrial | None:
        """Return the best complete trial."""
        return next(iter(ranked(self.trials, higher_is_better=self._plan.higher_is_better)), None)

    def point(self, index: int) -> Params | None:
        """Return what is to be tried at this place; None is to be drawn."""
        given, _ = self._given(index)
        return given[index] if index < len(given) else None

    def knows(self, index: int) -> bool:
        """Return whether all is finished that decides what is to be tried at this place."""
        given, is_whole = self._given(index)
        return is_whole or index < len(given)

    def _given(self, index: int) -> tuple[list[Params], bool]:
        """Return the given points as far as they are needed and known, and if those are all."""
        given = self._able(self._plan.first)
        for stage in self._plan.stages:
            if index < len(given):
                return given, False
            n_over = sum(trial.index < len(given) for trial in self.trials)
            if n_over < len(given):
                return given, False
            given = [*given, *self._able(stage(self.trials[: len(given)]))]
        return given, True

    def options(self, family: str, point: Params | None) -> Params:
        """Return the options of the next trial: the given point's, or what the plan says."""
        if point is None:
            return self._plan.options(family, self.trials)
        names = self._plan.option_names
        return {n: value for n, value in point.items() if n.rpartition(".")[2] in names}

    def family(self, index: int, point: Params | None) -> str | None:
        """Return the family of a point, or the one that the allocation gives the trial to.

        None if none is left to draw from.
        """
        if point is not None and self._plan.families:
            return str(point[self._plan.family])
        out = self._passed_over | self._over
        left = [name for name in self._plan.families or ("",) if name not in out]
        if len(left) <= 1:
            return next(iter(left), None)
        outcomes: dict[str, list[float]] = {name: [] for name in left}
        for trial, value in zip(self.trials, self._values(), strict=True):
            if (name := str(trial.params[self._plan.family])) in outcomes:
                outcomes[name].append(value)
        for name in outcomes.keys() & set(self.at_work):
            known = [value for value in outcomes[name] if np.isfinite(value)]
            middle = float(np.median(known)) if known else float("nan")
            outcomes[name] += [middle] * self.at_work.count(name)  # for as good as the middle
        rng = np.random.default_rng([self._plan.seed, index])
        return ALLOCATIONS[self._plan.allocation](outcomes, rng)

    def _values(self) -> list[float]:
        """Return what each trial is worth to the allocation, higher is better; NaN if it failed.

        With costs, minus how many fronts lie before it.
        """
        if not self._plan.n_costs:
            return [
                float("nan") if trial.state == "failed" else self._sign * trial.mean_score
                for trial in self.trials
            ]
        places = [i for i, trial in enumerate(self.trials) if trial.state == "complete"]
        rows = [[-self._sign * self.trials[i].mean_score, *self.trials[i].costs] for i in places]
        values = [float("nan")] * len(self.trials)
        for place, layer in zip(places, layers(np.array(rows)) if rows else (), strict=True):
            values[place] = -float(layer)
        return values

    def of_family(self, family: str) -> list[FinishedTrial]:
        """Return the trials of a family."""
        return [t for t in self.trials if t.params.get(self._plan.family, "") == family]

    def pass_over(self, family: str) -> None:
        """Leave an untried family out from here on, its given points too."""
        self._passed_over.add(family)

    def draw_no_more(self, family: str) -> None:
        """Give a family that takes longer than is left no further trials."""
        self._over.add(family)

    def rivals(self, params: Params) -> Rivals:
        """Return what a trial with these parameters is compared with; nothing, with costs."""
        rivals = Rivals(self._sign, len(self._plan.first))
        if self._plan.n_costs:
            return rivals
        family = str(params[self._plan.family]) if self._plan.families else ""
        names = self._plan.option_names
        own = [params.get(name) for name in names]
        complete = [trial for trial in self.trials if trial.state == "complete"]
        curves = [
            trial.curve
            for trial in complete
            if trial.curve
            and trial.params.get(self._plan.family, "") == family
            and [trial.params.get(f"{family}.{name}") for name in names] == own
        ]
        return replace(
            rivals, scores=tuple(trial.scores for trial in complete), curves=tuple(curves)
        )

    def _able(self, points: Sequence[Params]) -> list[Params]:
        return [p for p in points if p.get(self._plan.family, "") not in self._passed_over]


def is_hopeless(
    scores: Sequence[float], complete: Sequence[Sequence[float]], *, n_first: int
) -> bool:
    """Return whether the best mean so far is worse than the median of complete trials.

    Compared are means of as many folds, higher is better; two folds are always run, and the
    first ``n_first`` trials, at least five, to their end (the median rule of D. Golovin et al.,
    Google Vizier, 2017).
    """
    n_run = len(scores)
    if n_run <= FIRST_PRUNED_FOLD or len(complete) < max(N_RANDOM, n_first):
        return False
    own = max(float(np.mean(scores[:n])) for n in range(1, n_run + 1))
    return own < float(np.median([np.mean(others[:n_run]) for others in complete]))


def is_behind(curve: Sequence[float], complete: Sequence[Sequence[float]]) -> bool:
    """Return whether the least loss so far is more than the median of complete trials'.

    Compared are the least of as many epochs. Ten epochs are always run, and at least five trials
    compared with (the median rule, as of ``is_hopeless``).
    """
    n_run = len(curve)
    if n_run < N_EPOCHS_RUN or len(complete) < N_CURVES:
        return False
    return min(curve) > float(np.median([min(other[:n_run]) for other in complete]))
