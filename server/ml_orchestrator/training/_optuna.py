"""The search over hyperparameters, by Optuna; the only module that knows it.

A study is a journal file in its own directory. The k-th finished trial is drawn by a sampler
seeded from (seed, k) that sees the finished trials before it and nothing else. So a study that
was killed and is resumed gives the same trials as one that was not.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.telemetry.measures import count_trial
from ml_orchestrator.telemetry.spans import span
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import (
    FinishedTrial,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
)

__all__ = ["run_study"]

JOURNAL = "study.journal"
N_RANDOM = 5  # trials after the first ones before the sampler models the space
FIRST_PRUNED_FOLD = 1  # counted from 0: two folds are always run
_TRIAL_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def run_study(
    plan: StudyPlan,
    objective: Objective,
    *,
    on_progress: Callable[[StudyProgress], None],
    clock: Callable[[], float] = time.monotonic,
) -> StudyResult:
    """Run or resume a study until its trials or its time are used up.

    ``on_progress`` is called after every fold and trial; what it raises ends the run and is
    passed on, and the unfinished trial is run again on resumption. Time spent before a
    resumption counts. The first complete trial is always finished, whatever the time; where
    all trials fail, no further one begins once the time is up.

    Raises:
        ConflictError: another process runs this study, or the directory holds another one.
        InvalidInputError: no trial could be scored at all.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    plan.directory.mkdir(parents=True, exist_ok=True)
    with _exclusive(plan.directory):
        study = _open(plan)
        _abandon_unfinished(study)
        return _Run(plan, objective, study, on_progress, clock).to_the_end()


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory; the lock dies with its process."""
    lock = FileLock(directory / "study.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConflictError(
            f"Another process is running the study in {directory.name!r}. "
            "Wait for it, or cancel it."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _open(plan: StudyPlan) -> optuna.Study:
    journal = plan.directory / JOURNAL
    _repair(journal)
    study = optuna.create_study(
        study_name="study",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        direction="maximize" if plan.higher_is_better else "minimize",
        pruner=MedianPruner(
            n_startup_trials=max(N_RANDOM, len(plan.first)), n_warmup_steps=FIRST_PRUNED_FOLD
        ),
        load_if_exists=True,
    )
    known = study.user_attrs.get("fingerprint")
    if known is None:
        study.set_user_attr("fingerprint", plan.fingerprint)
    elif known != plan.fingerprint:
        raise ConflictError(
            f"Directory {plan.directory.name!r} holds a study of other data or another question. "
            "Use a directory of its own for each."
        )
    return study


def _repair(journal: Path) -> None:
    """Remove what a killed process left: a torn last line and Optuna's own lock (5.0)."""
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if not journal.exists():
        return
    content = journal.read_bytes()
    if content and not content.endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _abandon_unfinished(study: optuna.Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


class _OptunaSpace:
    """A ``ParamSpace`` that asks a trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self._trial.suggest_float(name, low, high, log=log)

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self._trial.suggest_int(name, low, high, log=log)

    def choice(self, name: str, options: Sequence[str]) -> str:
        return str(self._trial.suggest_categorical(name, list(options)))


class _TrialFailedError(Exception):
    """A trial's model could not be scored."""


class _Run:
    """One process's work on a study."""

    def __init__(
        self,
        plan: StudyPlan,
        objective: Objective,
        study: optuna.Study,
        on_progress: Callable[[StudyProgress], None],
        clock: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._objective = objective
        self._study = study
        self._on_progress = on_progress
        self._clock = clock
        self._trials = _finished_trials(study)
        self._started_at = clock() - sum(trial.seconds for trial in self._trials)

    def to_the_end(self) -> StudyResult:
        while len(self._trials) < self._plan.n_trials and not self._is_over():
            self._run_trial(len(self._trials))
            self._tell_progress(0)
        best = self._best()
        if best is None:
            raise InvalidInputError(
                f"None of {len(self._trials)} trials could be scored; the first said: "
                f"{self._trials[0].error}."
            )
        is_whole = len(self._trials) >= self._plan.n_trials
        return StudyResult(tuple(self._trials), best, "trials" if is_whole else "time")

    def _run_trial(self, index: int) -> None:
        n_before = len(self._trials)
        with span("trial", **{"trial.number": index}) as opened:
            self._try(index)
            if len(self._trials) > n_before:  # it was not cut off by the time limit
                last = self._trials[-1]
                opened.set_attribute("ml_orchestrator.trial.state", last.state)
                count_trial(last.seconds, state=last.state)

    def _try(self, index: int) -> None:
        trial = self._ask(index)
        began_at = self._clock()
        scores: list[float] = []
        error = ""
        try:
            state = self._score(trial, scores)
        except _TrialFailedError as fault:
            state, error = "failed", str(fault)
        if state == "out of time":
            self._study.tell(trial, state=TrialState.FAIL)
            return
        outcome = {
            "index": index,
            "state": state,
            "scores": scores,
            "seconds": self._clock() - began_at,
            "error": error,
        }
        # Told last: a trial counts as finished once its state is that of its outcome.
        trial.set_user_attr("outcome", outcome)
        mean = float(np.mean(scores)) if state == "complete" else None
        told = self._study.tell(trial, mean, state=_TRIAL_STATES[state])
        self._trials.append(_finished(told))

    def _score(self, trial: Trial, scores: list[float]) -> str:
        """Collect the scores of the folds and return how the trial ended."""
        for fold, score in enumerate(self._fold_scores(trial)):
            scores.append(score)
            trial.report(float(np.mean(scores)), fold)
            self._tell_progress(len(scores))
            if self._is_late():
                return "out of time"
            if trial.should_prune():
                return "pruned"
        return "complete"

    def _fold_scores(self, trial: Trial) -> Iterator[float]:
        try:
            params = self._objective.suggest(_OptunaSpace(trial))
            for score in self._objective.evaluate(params):
                if not np.isfinite(score):
                    raise ArithmeticError(f"the score is {score}")
                yield float(score)
        except (ArithmeticError, ValueError, MemoryError) as fault:
            raise _TrialFailedError(f"{type(fault).__name__}: {fault}") from fault

    def _ask(self, index: int) -> Trial:
        entropy = np.random.SeedSequence([self._plan.seed, index])
        self._study.sampler = TPESampler(
            seed=int(entropy.generate_state(1)[0]),
            n_startup_trials=len(self._plan.first) + N_RANDOM,
            multivariate=False,
            constant_liar=False,  # unfinished trials of a dead process must not count
        )
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        given = self._given()
        if index < len(given) and not waiting:
            self._study.enqueue_trial(dict(given[index]))
        return self._study.ask()

    def _given(self) -> Sequence[Params]:
        """Return the points to try before any is drawn, as far as they are known."""
        first = self._plan.first
        tried = self._trials[: len(first)]
        return [*first, *(self._plan.then(tried) if len(tried) == len(first) else ())]

    def _is_over(self) -> bool:
        return bool(self._trials) and self._elapsed_s() >= self._plan.timeout_s

    def _is_late(self) -> bool:
        return self._elapsed_s() >= self._plan.timeout_s and self._best() is not None

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


def _finished_trials(study: optuna.Study) -> list[FinishedTrial]:
    trials = study.get_trials(deepcopy=False, states=tuple(_TRIAL_STATES.values()))
    return sorted(map(_finished, filter(_has_settled, trials)), key=lambda trial: trial.index)


def _has_settled(trial: FrozenTrial) -> bool:
    outcome = trial.user_attrs.get("outcome")
    return outcome is not None and _TRIAL_STATES[outcome["state"]] is trial.state


def _finished(trial: FrozenTrial) -> FinishedTrial:
    outcome: dict[str, Any] = trial.user_attrs["outcome"]
    return FinishedTrial(
        index=outcome["index"],
        state=outcome["state"],
        params=dict(trial.params),
        scores=tuple(outcome["scores"]),
        seconds=outcome["seconds"],
        error=outcome["error"],
    )
