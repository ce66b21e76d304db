"""The search over hyperparameters, by Optuna; the only module that knows it.

A study is a journal file in its own directory, or the same on a shelf, in which each family of
models has a study of Optuna's. The k-th finished trial is drawn by a sampler seeded from
(seed, k) that sees the finished trials before it and nothing else. So a study that was killed and
is resumed gives the same trials as one that was not.
"""

import copy
import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.storages import JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.training.at_once import RunAtOnce
from ml_orchestrator.training.course import N_RANDOM
from ml_orchestrator.training.models import Sampler
from ml_orchestrator.training.pools import Pool
from ml_orchestrator.training.running import Run
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import (
    FinishedTrial,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
)
from ml_orchestrator.training.study_log import StudyLog

__all__ = ["check_sampler", "run_study"]

JOURNAL = "study.journal"
N_RANDOM_OF_FAMILY = 4  # trials of a family, its defaults among them, before it is modelled
N_OF_GENERATION = 8  # complete trials of a family, for nsga2
PACKAGES: Mapping[Sampler, str] = {"gp": "torch", "cmaes": "cmaes"}
_TRIAL_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def check_sampler(sampler: Sampler) -> None:
    """Return if the sampler can be used here.

    Raises:
        InvalidInputError: it needs a package that is not installed; the message says which.
    """
    package = PACKAGES.get(sampler)
    if package is not None and importlib.util.find_spec(package) is None:
        raise InvalidInputError(
            f"Sampler {sampler!r} needs the package {package}, which is not installed here. "
            f"Install it: {pip_install(sampler)}, or use tpe or random."
        )


def run_study(
    plan: StudyPlan,
    objective: Objective,
    *,
    on_progress: Callable[[StudyProgress], None],
    clock: Callable[[], float] = time.monotonic,
    is_stopped: Callable[[], bool] = lambda: False,
    pool: Pool | None = None,
) -> StudyResult:
    """Run or resume a study until its trials or its time are used up, or it is stopped.

    Trials run in this process, one after the other, or in those of ``pool``, several at once.

    ``on_progress`` is called after every fold and trial; what it raises ends the run and is
    passed on, and the unfinished trial is run again on resumption. Time spent before a
    resumption counts. The first complete trial is always finished, whatever the time; where
    all trials fail, no further one begins once the time is up. ``is_stopped`` is asked after
    every fold; a trial that is cut off by it or by the time does not count.

    Raises:
        ConflictError: another process runs this study, or the directory holds another one.
        InvalidInputError: no trial could be scored at all, or the sampler is not installed.
    """
    check_sampler(plan.sampler)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    plan.directory.mkdir(parents=True, exist_ok=True)
    with _exclusive(plan.directory), _backend(plan.directory / JOURNAL, plan.shelf) as log:
        journal = _Journal(plan, log, is_at_once=pool is not None)
        start: Callable[..., Run] = Run if pool is None else partial(RunAtOnce, pool=pool)
        run = start(
            plan,
            objective,
            journal,
            on_progress=on_progress,
            clock=clock,
            is_stopped=is_stopped,
        )
        return run.to_the_end()


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


@contextmanager
def _backend(path: Path, shelf: StudyShelf | None) -> Iterator[Any]:
    """Give where the log of the studies is: on the shelf, which takes over what a file has."""
    if shelf is None:
        with closing(StudyLog(path)) as log:
            yield log
        return
    if shelf.is_new and path.exists():
        with closing(StudyLog(path)) as log:
            shelf.append_logs(list(log.read_logs(0)))
    yield shelf


class _OptunaSpace:
    """A ``ParamSpace`` that asks a trial; the family is known already."""

    def __init__(self, trial: Trial, fixed: Mapping[str, str]) -> None:
        self._trial = trial
        self.fixed = fixed

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self._trial.suggest_float(name, low, high, log=log)

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self._trial.suggest_int(name, low, high, log=log)

    def choice(self, name: str, options: Sequence[str]) -> str:
        if name in self.fixed:
            return self.fixed[name]
        return str(self._trial.suggest_categorical(name, list(options)))


class _Draw:
    """A trial of one of the studies."""

    def __init__(self, trial: Trial, study: optuna.Study, fixed: Mapping[str, str]) -> None:
        self.trial = trial
        self.study = study
        self.space = _OptunaSpace(trial, fixed)


class _Journal:
    """The studies of one directory, a study for each family."""

    def __init__(self, plan: StudyPlan, log: Any, *, is_at_once: bool = False) -> None:
        self._plan = plan
        self._is_at_once = is_at_once
        storage = JournalStorage(log)
        names = tuple(plan.families) or ("",)
        self._check(_open(plan, storage, "study"))
        self._studies = {
            name: _open(plan, storage, f"study-{name}" if name else "study") for name in names
        }
        self._deaths: dict[int, int] = {}
        for study in self._studies.values():
            self._bury(study)
        self._keep()

    def _check(self, study: optuna.Study) -> None:
        known = study.user_attrs.get("fingerprint")
        if known is None:
            study.set_user_attr("fingerprint", self._plan.fingerprint)
        elif known != self._plan.fingerprint:
            raise ConflictError(
                f"Directory {self._plan.directory.name!r} holds a study of other data or another "
                "question. Use a directory of its own for each."
            )

    def _bury(self, study: optuna.Study) -> None:
        """Give up what a dead process left, and count in which trial it died."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            index = trial.user_attrs.get("index")
            if index is not None and not {"outcome", "dropped"} & trial.user_attrs.keys():
                self._deaths[index] = self._deaths.get(index, 0) + 1

    def finished(self) -> list[FinishedTrial]:
        found = [
            _finished(trial, self._fixed(name))
            for name, study in self._studies.items()
            for trial in study.get_trials(deepcopy=False, states=tuple(_TRIAL_STATES.values()))
            if _has_settled(trial)
        ]
        return sorted(found, key=lambda trial: trial.index)

    def ask(
        self,
        index: int,
        attempt: int,
        family: str,
        given: Params | None,
        options: Params | None = None,
    ) -> _Draw:
        study, fixed = self._studies[family], self._fixed(family)
        entropy = np.random.SeedSequence([self._plan.seed, index, *([attempt] if attempt else [])])
        n_random = N_RANDOM_OF_FAMILY if family else len(self._plan.first) + N_RANDOM
        seed = int(entropy.generate_state(1)[0])
        study.sampler = _sampler(
            self._plan.sampler, seed=seed, n_random=n_random, is_at_once=self._is_at_once
        )
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if given is not None and not waiting:
            known = {*fixed, *(options or {})}
            own = {name: value for name, value in given.items() if name not in known}
            study.enqueue_trial(own)
        trial = study.ask()
        trial.set_user_attr("index", index)
        if options:
            trial.set_user_attr("options", options)
        self._keep()  # so that a process that dies in it is counted
        return _Draw(trial, study, fixed)

    def n_deaths(self, index: int) -> int:
        return self._deaths.get(index, 0)

    def settle(self, draw: _Draw, outcome: dict[str, Any]) -> FinishedTrial:
        # Told last: a trial counts as finished once its state is that of its outcome.
        draw.trial.set_user_attr("outcome", outcome)
        state = outcome["state"]
        is_complete = state == "complete"
        values = [float(np.mean(outcome["scores"])), *outcome["costs"]] if is_complete else None
        told = draw.study.tell(draw.trial, values, state=_TRIAL_STATES[state])
        self._keep()
        return _finished(told, draw.space.fixed)

    def drop(self, draw: _Draw) -> None:
        draw.trial.set_user_attr("dropped", True)
        draw.study.tell(draw.trial, state=TrialState.FAIL)
        self._keep()

    def _keep(self) -> None:
        if self._plan.shelf is not None:
            self._plan.shelf.flush()

    def _fixed(self, family: str) -> Mapping[str, str]:
        return {self._plan.family: family} if family else {}


def _open(plan: StudyPlan, storage: JournalStorage, name: str) -> optuna.Study:
    return optuna.create_study(
        study_name=name,
        storage=storage,
        directions=[
            StudyDirection.MAXIMIZE if plan.higher_is_better else StudyDirection.MINIMIZE,
            *[StudyDirection.MINIMIZE] * plan.n_costs,
        ],
        load_if_exists=True,
    )


class _CmaEsSampler(CmaEsSampler):
    """CMA-ES that draws by its seed and the finished trials alone.

    Optuna's (5.0) adds the trial's number to the seed, and trials that do not count (of a process
    that died, drawn too late) use numbers up.
    """

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters as for a trial of number 0; what is kept goes to ``trial``."""
        numberless = copy.copy(trial)
        numberless.number = 0
        return super().sample_relative(study, numberless, search_space)


def _sampler(name: Sampler, *, seed: int, n_random: int, is_at_once: bool) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "random":
            return RandomSampler(seed=seed)
        if name == "nsga2":
            return NSGAIISampler(seed=seed, population_size=N_OF_GENERATION)
        if name == "gp":
            return GPSampler(seed=seed, n_startup_trials=n_random)
        if name == "cmaes":
            return _CmaEsSampler(
                seed=seed, n_startup_trials=n_random, warn_independent_sampling=False
            )
        return TPESampler(
            seed=seed,
            n_startup_trials=n_random,
            multivariate=False,
            constant_liar=is_at_once,  # none unfinished is of a dead process: those are buried
        )


def _has_settled(trial: FrozenTrial) -> bool:
    outcome = trial.user_attrs.get("outcome")
    return outcome is not None and _TRIAL_STATES[outcome["state"]] is trial.state


def _finished(trial: FrozenTrial, fixed: Mapping[str, str]) -> FinishedTrial:
    outcome: dict[str, Any] = trial.user_attrs["outcome"]
    return FinishedTrial(
        index=outcome["index"],
        state=outcome["state"],
        params={**fixed, **trial.params, **trial.user_attrs.get("options", {})},
        scores=tuple(outcome["scores"]),
        seconds=outcome["seconds"],
        error=outcome["error"],
        costs=tuple(outcome.get("costs", ())),
        curve=tuple(outcome.get("curve", ())),
        added_s=outcome.get("added_s"),
    )
