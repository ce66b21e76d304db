"""The course of a search: which trial is next, when one is given up, and when it all ends."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.telemetry.measures import count_trial
from ml_orchestrator.telemetry.spans import span
from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.forecast import fold_seconds
from ml_orchestrator.training.models import StoppedBy
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import (
    FinishedTrial,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
    TrialFailedError,
)

__all__ = ["N_RANDOM", "Draw", "Journal", "Run", "is_hopeless"]

N_RANDOM = 5  # trials after the first ones before the sampler models the space
FIRST_PRUNED_FOLD = 1  # counted from 0: two folds are always run
MAX_DRAWS = 4  # of one trial, until one is expected to end in time
MAX_DEATHS = 2  # of the process in one trial, before the trial is lost


class Draw(Protocol):
    """A trial that was asked for: where its parameters come from."""

    @property
    def space(self) -> ParamSpace:
        """The space that answers with this trial's parameters."""
        ...


class Journal(Protocol):
    """What is known of a study, on disk; a process that dies loses its unfinished trial only."""

    def finished(self) -> list[FinishedTrial]:
        """Return the finished trials in order."""
        ...

    def ask(self, index: int, attempt: int, family: str, given: Params | None) -> Any:
        """Return the draw of the ``index``-th trial; the same arguments and trials, the same."""
        ...

    def n_deaths(self, index: int) -> int:
        """Return how often a process died while it ran this trial."""
        ...

    def settle(self, draw: Any, outcome: dict[str, Any]) -> FinishedTrial:
        """Finish the trial."""
        ...

    def drop(self, draw: Any) -> None:
        """Forget the trial; it does not count."""
        ...


class Run:
    """One process's work on a study."""

    def __init__(
        self,
        plan: StudyPlan,
        objective: Objective,
        journal: Journal,
        *,
        on_progress: Callable[[StudyProgress], None],
        clock: Callable[[], float],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._objective = objective
        self._journal = journal
        self._on_progress = on_progress
        self._clock = clock
        self._is_stopped = is_stopped
        self._trials = journal.finished()
        self._too_slow: set[str] = set()  # families that were left untried
        self._started_at = clock() - sum(trial.seconds for trial in self._trials)

    def to_the_end(self) -> StudyResult:
        """Run trials until their number, the time or a request ends the search."""
        while len(self._trials) < self._plan.n_trials and not self._is_over():
            if not self._run_trial(len(self._trials)):
                break
            self._tell_progress(0)
        best = self._best()
        if best is None:
            raise InvalidInputError(
                f"None of {len(self._trials)} trials could be scored; the first said: "
                f"{self._trials[0].error}."
            )
        is_whole = len(self._trials) >= self._plan.n_trials
        ended: StoppedBy = "trials" if is_whole else "request" if self._is_stopped() else "time"
        return StudyResult(tuple(self._trials), best, ended, self._elapsed_s())

    def _run_trial(self, index: int) -> bool:
        """Run one trial and return whether there is one more finished."""
        with span("trial", **{"trial.number": index}) as opened:
            if not self._try(index):
                return False
            last = self._trials[-1]
            opened.set_attribute("ml_orchestrator.trial.state", last.state)
            count_trial(last.seconds, state=last.state)
            return True

    def _try(self, index: int) -> bool:
        began_at = self._clock()
        asked = self._ask(index)
        if asked is None:
            return False
        draw, params = asked
        scores: list[float] = []
        error = ""
        try:
            state = self._score(index, params, scores)
        except TrialFailedError as fault:
            state, error = "failed", str(fault)
        except BaseException:
            self._journal.drop(draw)
            raise
        if state == "cut off":
            self._journal.drop(draw)
            return False
        outcome = {
            "index": index,
            "state": state,
            "scores": scores,
            "seconds": self._clock() - began_at,
            "error": error,
        }
        self._trials.append(self._journal.settle(draw, outcome))
        return True

    def _ask(self, index: int) -> tuple[Any, Params] | None:
        """Return a draw that is expected to end in time; None if several are not."""
        attempt = 0
        while attempt < MAX_DRAWS:
            given = self._given()
            point = given[index] if index < len(given) and attempt == 0 else None
            family = self._family(index, point)
            draw = self._journal.ask(index, attempt, family, point)
            params = self._objective.suggest(draw.space)
            if self._would_fit(index, family, params):
                return draw, params
            self._journal.drop(draw)
            # What is too slow for a first trial is passed over, and its turn goes to the next.
            attempt += family not in self._too_slow
        return None

    def _family(self, index: int, point: Params | None) -> str:
        if not self._plan.families:
            return ""
        if point is not None:
            return str(point[self._plan.family])
        sign = 1.0 if self._plan.higher_is_better else -1.0
        able = [name for name in self._plan.families if name not in self._too_slow]
        outcomes: dict[str, list[float]] = {name: [] for name in able}
        for trial in self._trials:
            value = float("nan") if trial.state == "failed" else sign * trial.mean_score
            outcomes[str(trial.params[self._plan.family])].append(value)
        rng = np.random.default_rng([self._plan.seed, index])
        return ALLOCATIONS[self._plan.allocation](outcomes, rng)

    def _would_fit(self, index: int, family: str, params: Params) -> bool:
        if self._plan.n_folds is None or self._best() is None:
            return True
        n_folds = self._plan.n_folds
        same = [t for t in self._trials if t.params.get(self._plan.family, "") == family]
        known = {f"{family}.{name}": value for name, value in params.items()} if family else params
        each_s = fold_seconds(known, same)
        if each_s is not None:
            return n_folds * each_s <= self._left_s()
        if same or self._journal.n_deaths(index):
            return True
        each_s = self._objective.forecast(params)
        if each_s is None or n_folds * each_s <= self._left_s():
            return True
        self._too_slow.add(family)
        return False

    def _score(self, index: int, params: Params, scores: list[float]) -> str:
        """Collect the scores of the folds and return how the trial ended."""
        if (n_deaths := self._journal.n_deaths(index)) >= MAX_DEATHS:
            raise TrialFailedError(
                f"the process died {n_deaths} times in this trial, which is often a lack of memory"
            )
        began_at = self._clock()
        for score in self._objective.evaluate(params):
            if not np.isfinite(score):
                raise TrialFailedError(f"the score is {score}")
            scores.append(float(score))
            self._tell_progress(len(scores))
            if self._must_stop(len(scores), self._clock() - began_at):
                return "cut off"
            if self._is_hopeless(scores):
                return "pruned"
        return "complete"

    def _must_stop(self, n_folds: int, took_s: float) -> bool:
        """Return whether there is no time for what is left of the trial, or a request."""
        if self._best() is None or n_folds == self._plan.n_folds:
            return False
        if self._is_stopped():
            return True
        n_more = 0 if self._plan.n_folds is None else self._plan.n_folds - n_folds
        rest_s = n_more * took_s / n_folds
        return self._left_s() < rest_s or (rest_s == 0 and self._left_s() <= 0)

    def _is_hopeless(self, scores: Sequence[float]) -> bool:
        sign = 1.0 if self._plan.higher_is_better else -1.0
        complete = [
            [sign * score for score in trial.scores]
            for trial in self._trials
            if trial.state == "complete"
        ]
        own = [sign * score for score in scores]
        return is_hopeless(own, complete, n_first=len(self._plan.first))

    def _given(self) -> Sequence[Params]:
        """Return the points to try before any is drawn, as far as they are known."""
        first = self._able(self._plan.first)
        tried = self._trials[: len(first)]
        return [*first, *self._able(self._plan.then(tried) if len(tried) == len(first) else ())]

    def _able(self, points: Sequence[Params]) -> list[Params]:
        return [p for p in points if p.get(self._plan.family, "") not in self._too_slow]

    def _is_over(self) -> bool:
        if not self._trials:
            return False
        return self._left_s() <= 0 or (self._best() is not None and self._is_stopped())

    def _left_s(self) -> float:
        return self._plan.timeout_s - self._plan.reserve_s(self._trials) - self._elapsed_s()

    def _elapsed_s(self) -> float:
        return self._clock() - self._started_at

    def _best(self) -> FinishedTrial | None:
        sign = -1.0 if self._plan.higher_is_better else 1.0
        scored = [trial for trial in self._trials if trial.state == "complete"]
        return min(scored, key=lambda trial: sign * trial.mean_score, default=None)

    def _tell_progress(self, n_folds_done: int) -> None:
        n_finished, elapsed_s = len(self._trials), self._elapsed_s()
        left_s = max(0.0, self._plan.timeout_s - elapsed_s)
        per_trial_s = elapsed_s / n_finished if n_finished else left_s
        self._on_progress(
            StudyProgress(
                n_finished=n_finished,
                n_trials=self._plan.n_trials,
                n_folds_done=n_folds_done,
                elapsed_s=elapsed_s,
                timeout_s=self._plan.timeout_s,
                eta_s=min(left_s, (self._plan.n_trials - n_finished) * per_trial_s),
                best=self._best(),
            )
        )


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
