"""From a job to its finished trials."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ml_orchestrator.datasets.leakage import find_leakage
from ml_orchestrator.datasets.models import LeakageSuspect
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.away import trial_of
from ml_orchestrator.training.budget import Budget
from ml_orchestrator.training.costs import CostBook
from ml_orchestrator.training.families import full, suggest_from
from ml_orchestrator.training.feature_options import (
    first_points,
    kept_options,
    probes,
    suitable_options,
    with_best_past,
)
from ml_orchestrator.training.job import Job
from ml_orchestrator.training.meta_features import meta_features
from ml_orchestrator.training.models import WarmStart
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.pools import Answered, Cluster
from ml_orchestrator.training.preprocessing import OPTION_NAMES
from ml_orchestrator.training.scoring import evaluate_on, forecast_on
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import (
    FinishedTrial,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
)
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.training.warm_start import (
    Beginning,
    Recall,
    choose_beginning,
    kept_or_chosen,
    starts_after,
    starts_before,
)

__all__ = ["SEARCH_ENDS", "Away", "Report", "Search", "run", "set_up"]

Report = Callable[[float, str, Mapping[str, float]], None]
"""Told a fraction from 0 to 1, a sentence and numbers; what it raises stops the training."""

Away = Callable[[], AbstractContextManager[Cluster]]
"""Gives the cluster that trials run on, for as long as they do."""

SEARCH_STARTS, SEARCH_ENDS = 0.05, 0.85  # fractions of the whole, for the report
LEAST_S = 1.0  # for a search on a cluster, however long that took to join


@dataclass(frozen=True, slots=True)
class Search:
    """A search that can run, and what it leaves for the steps after it.

    ``meta`` describes the training rows (``meta_features``); ``leaks`` are the columns that may
    give the target away. ``away`` is where its trials run, if not here. ``beginning`` is empty
    unless a warm start was asked for.
    """

    job: Job
    plan: StudyPlan
    objective: Objective
    files: AnswerFiles
    budget: Budget
    beginning: Beginning
    meta: Mapping[str, float]
    leaks: tuple[LeakageSuspect, ...]
    away: Away | None = None

    def starts_tried(self, trials: Sequence[FinishedTrial]) -> tuple[WarmStart, ...]:
        """Return the starts that the search came to."""
        tried = [trial.params for trial in trials]
        return tuple(start for start in self.beginning.starts if _point(start) in tried)


def set_up(
    job: Job,
    study_dir: Path,
    *,
    recall: Recall,
    began_at: float,
    away: Away | None = None,
    shelf: StudyShelf | None = None,
) -> Search:
    """Return the search of a job in ``study_dir``, which may hold a part of it already.

    ``began_at`` is when the training began, by ``time.monotonic``. A part that is on the
    ``shelf`` alone is written into the directory.
    """
    spec, table, split = job.spec, job.table, job.split
    if shelf is not None:
        shelf.restore(study_dir)
    meta = meta_features(table, split.train)
    beginning = _beginning(job, study_dir, meta, recall, shelf)
    leaks = find_leakage(table.frame[split.train], table.target, table.task)
    book = CostBook(table.costs)
    files = AnswerFiles(study_dir, higher_is_better=table.metric.higher_is_better, shelf=shelf)
    budget = Budget(
        spec.timeout_s,
        table,
        split,
        files,
        refines=spec.refine,
        began_at=began_at,
        # While trials run elsewhere, waiting says nothing of how busy this machine is.
        work_clock=time.process_time if away is None else time.monotonic,
    )

    def keep(params: Params, answered: Answered) -> None:
        files.keep(params, answered.folds, score=answered.score, timing=answered.timing)

    return Search(
        job=job,
        plan=replace(_plan(job, study_dir, beginning, budget), shelf=shelf),
        objective=Objective(
            suggest_from(job.trainers, table.problem),
            evaluate_on(table, split, job.build, files, book),
            # Fitting samples here would keep the others waiting, and tell of another machine.
            forecast_on(table, split, job.build) if away is None else (lambda _: None),
            book.of,
            keep,
        ),
        files=files,
        budget=budget,
        beginning=beginning,
        meta=meta,
        leaks=leaks,
        away=away,
    )


def run(search: Search, *, report: Report, is_stopped: Callable[[], bool]) -> StudyResult:
    """Search until trials, time or a request end it; resumes what was killed.

    Raises:
        ConflictError: another process trains in this directory, or it holds another study.
        UnavailableError: its trials were to run on a cluster that cannot be used.
    """
    began_at = time.monotonic()
    metric = search.job.table.metric.name
    study = partial(
        run_study,
        objective=search.objective,
        on_progress=lambda progress: _tell(report, metric, progress),
        is_stopped=is_stopped,
    )
    result = study(search.plan) if search.away is None else _run_away(search, search.away, study)
    search.budget.count_earlier(result.elapsed_s - (time.monotonic() - began_at))
    return result


def _run_away(search: Search, away: Away, study: Callable[..., StudyResult]) -> StudyResult:
    """Search on a cluster; the time it takes to join that is time of the search."""
    began_at = time.monotonic()
    with away() as cluster:
        pool = cluster.pool(trial_of(search.job))
        joined_s = time.monotonic() - began_at
        timeout_s = max(LEAST_S, search.plan.timeout_s - joined_s)
        result = study(replace(search.plan, timeout_s=timeout_s), pool=pool)
    at_once = f"up to {pool.width} at once on {cluster.about}"
    return replace(result, at_once=at_once, elapsed_s=result.elapsed_s + joined_s)


def _beginning(
    job: Job,
    study_dir: Path,
    meta: Mapping[str, float],
    recall: Recall,
    shelf: StudyShelf | None,
) -> Beginning:
    if not job.spec.warm_start:
        return Beginning()
    return kept_or_chosen(
        study_dir,
        lambda: choose_beginning(
            recall(job.table.task),
            meta,
            dataset_digest=job.dataset.digest,
            trainers=job.trainers,
            problem=job.table.problem,
            suitable=suitable_options(job.table),
        ),
        shelf=shelf,
    )


def _plan(job: Job, study_dir: Path, beginning: Beginning, budget: Budget) -> StudyPlan:
    spec, higher_is_better = job.spec, job.table.metric.higher_is_better
    before = [*map(_completed, starts_before(beginning.starts, beginning.n_before))]
    families = sorted(job.trainers, key=_places(beginning.families))
    defaults = first_points(families, job.table)

    def similar(first: Sequence[FinishedTrial]) -> list[Params]:
        after = starts_after(beginning, first, higher_is_better=higher_is_better)
        tried = [trial.params for trial in first]
        return [point for point in map(_point, after) if point not in tried]

    return StudyPlan(
        directory=study_dir,
        fingerprint=_fingerprint(job),
        higher_is_better=higher_is_better,
        n_trials=spec.n_trials,
        timeout_s=budget.left_s,
        seed=spec.seed,
        first=[*before, *(point for point in defaults if point not in before)],
        stages=(
            with_best_past(families, job.table),
            similar,
            probes(job.table),
        ),
        family="trainer",
        families=job.trainers,
        allocation=spec.allocation,
        sampler=spec.sampler,
        n_folds=spec.n_folds,
        reserve_s=budget.reserve_s,
        option_names=OPTION_NAMES,
        n_costs=len(job.table.costs),
        options=kept_options(job.table),
    )


def _places(families: Sequence[str]) -> Callable[[str], int]:
    """Return what gives a family's place in an order; those it lacks come last."""
    places = {name: place for place, name in enumerate(families)}
    return lambda name: places.get(name, len(places))


def _fingerprint(job: Job) -> str:
    question = job.spec.model_dump(exclude={"n_trials", "timeout_s", "source", "refine"})
    whole = {**question, "trainers": job.trainers, "digest": job.dataset.digest}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _point(start: WarmStart) -> Params:
    return full(start.trainer, start.params)


def _completed(start: WarmStart) -> Params:
    """Return its point with all that the family's defaults name, to be equal to them if it is."""
    return full(start.trainer, {**TRAINERS[start.trainer].first_params, **start.params})


def _tell(report: Report, metric: str, progress: StudyProgress) -> None:
    by_trials = progress.n_finished / progress.n_trials
    by_time = min(1.0, progress.elapsed_s / progress.timeout_s)
    fraction = SEARCH_STARTS + (SEARCH_ENDS - SEARCH_STARTS) * max(by_trials, by_time)
    numbers = {
        "n_finished": float(progress.n_finished),
        "n_trials": float(progress.n_trials),
        "n_folds_done": float(progress.n_folds_done),
        "elapsed_s": progress.elapsed_s,
        "eta_s": progress.eta_s,
    }
    so_far = "no score yet"
    if progress.best is not None:
        numbers["best_score"] = progress.best.mean_score
        so_far = (
            f"best {metric} {progress.best.mean_score:.4f} by {progress.best.params['trainer']}"
        )
    message = (
        f"Trial {progress.n_finished} of {progress.n_trials}: {so_far}; "
        f"at most {progress.eta_s:.0f} s left."
    )
    report(fraction, message, numbers)
