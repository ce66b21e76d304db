"""One process's work on a study: trial after trial, within the time, until it all ends."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.telemetry.measures import count_trial
from ml_orchestrator.telemetry.spans import span
from ml_orchestrator.training.course import Course, Rivals
from ml_orchestrator.training.epochs import hearing
from ml_orchestrator.training.forecast import fold_seconds
from ml_orchestrator.training.models import StoppedBy
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import (
    FinishedTrial,
    GivenUpError,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
    TrialFailedError,
)

__all__ = ["Draw", "Journal", "Run"]

MAX_DRAWS = 4  # of a family for one trial, until one is expected to end in time
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

    def ask(
        self,
        index: int,
        attempt: int,
        family: str,
        given: Params | None,
        options: Params | None = None,
    ) -> Any:
        """Return the draw of the ``index``-th trial; the same arguments and trials, the same.

        ``options`` are parameters that are not drawn; the finished trial has them too.
        """
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
        self._course = Course(plan, journal.finished())
        self._started_at = clock() - sum(
            trial.seconds if trial.added_s is None else trial.added_s for trial in self._trials
        )

    @property
    def _trials(self) -> list[FinishedTrial]:
        return self._course.trials

    def to_the_end(self) -> StudyResult:
        """Run trials until their number, the time or a request ends the search."""
        self._search()
        best = self._course.best()
        if best is None:
            raise InvalidInputError(
                f"None of {len(self._trials)} trials could be scored; the first said: "
                f"{self._trials[0].error}."
            )
        is_whole = len(self._trials) >= self._plan.n_trials
        ended: StoppedBy = "trials" if is_whole else "request" if self._is_stopped() else "time"
        return StudyResult(tuple(self._trials), best, ended, self._elapsed_s())

    def _search(self) -> None:
        while len(self._trials) < self._plan.n_trials and not self._is_over():
            if not self._run_trial(self._course.free_index()):
                break
            self._tell_progress(0)

    def _run_trial(self, index: int) -> bool:
        """Run one trial and return whether there is one more finished."""
        with span("trial", **{"trial.number": index}) as opened:
            if not self._try(index):
                return False
            last = next(trial for trial in self._trials if trial.index == index)
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
        curve: list[float] = []
        error = ""
        costs: list[float] = []
        rivals = self._course.rivals(params)
        try:
            with hearing(lambda loss: self._hear(rivals, scores, curve, loss)):
                state = self._score(index, params, rivals, scores)
            if state == "complete":
                costs = [float(cost) for cost in self._objective.costs(params)]
        except GivenUpError as given_up:
            state = given_up.state
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
            "costs": costs,
            **({"curve": curve} if curve else {}),
        }
        self._course.add(self._journal.settle(draw, outcome))
        return True

    def _ask(self, index: int) -> tuple[Any, Params] | None:
        """Return a draw that is expected to end in time; None if several of no family are.

        Draws take time, too: None once it is over.
        """
        attempt, n_late = 0, Counter[str]()
        while not self._is_over():
            point = self._course.point(index) if attempt == 0 else None
            family = self._course.family(index, point)
            if family is None:
                return None
            options = self._course.options(family, point)
            draw = self._journal.ask(index, attempt, family, point, options)
            named = {name.rpartition(".")[2]: value for name, value in options.items()}
            params = {**self._objective.suggest(draw.space), **named}
            needs_s = self._expected_s(index, family, params)
            if needs_s is None or needs_s <= self._left_s():
                return draw, params
            self._journal.drop(draw)
            if family not in self._course.at_work and not self._course.of_family(family):
                self._course.pass_over(family)  # its turn goes to the next
                continue
            attempt += 1
            n_late[family] += 1
            if n_late[family] == MAX_DRAWS:
                self._course.draw_no_more(family)
        return None

    def _expected_s(self, index: int, family: str, params: Params) -> float | None:
        """Return how long the trial may take; None begins it without knowing."""
        n_folds = self._plan.n_folds
        if n_folds is None or self._course.best() is None:
            return None
        same = self._course.of_family(family)
        known = {f"{family}.{name}": value for name, value in params.items()} if family else params
        each_s = fold_seconds(known, same)
        if each_s is None and not same and not self._journal.n_deaths(index):
            each_s = self._objective.forecast(params)
        return None if each_s is None else n_folds * each_s

    def _score(self, index: int, params: Params, rivals: Rivals, scores: list[float]) -> str:
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
            if rivals.have_outrun(scores):
                return "pruned"
        return "complete"

    def _hear(self, rivals: Rivals, scores: list[float], curve: list[float], loss: float) -> None:
        """Note an epoch's loss and end the trial in the middle of a fold where that is due.

        Raises:
            GivenUpError: the trial is behind others, the time is up, or there is a request.
        """
        if not scores:
            curve.append(loss)
        if self._course.best() is None:
            return
        if self._is_stopped() or self._left_s() <= 0:
            raise GivenUpError("cut off")
        if not scores and rivals.have_learnt_more(curve):
            raise GivenUpError("pruned")

    def _must_stop(self, n_folds: int, took_s: float) -> bool:
        """Return whether there is no time for what is left of the trial, or a request."""
        if self._course.best() is None or n_folds == self._plan.n_folds:
            return False
        if self._is_stopped():
            return True
        n_more = 0 if self._plan.n_folds is None else self._plan.n_folds - n_folds
        rest_s = n_more * took_s / n_folds
        return self._left_s() < rest_s or (rest_s == 0 and self._left_s() <= 0)

    def _is_over(self) -> bool:
        if not self._trials:
            return False
        return self._left_s() <= 0 or (self._course.best() is not None and self._is_stopped())

    def _left_s(self) -> float:
        return self._plan.timeout_s - self._plan.reserve_s(self._trials) - self._elapsed_s()

    def _elapsed_s(self) -> float:
        return self._clock() - self._started_at

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
                best=self._course.best(),
            )
        )
