"""Training from a data set to a model with a held-out estimate."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training.card import model_card
from ml_orchestrator.training.front import choose, front_of
from ml_orchestrator.training.holdout import columns_of
from ml_orchestrator.training.job import Job, check_part, prepare
from ml_orchestrator.training.judging import Judged, judge, let_look_back, make_model
from ml_orchestrator.training.models import TrainingSpec, TrainingSummary
from ml_orchestrator.training.plots import front_plot, holdout_plots, importance_plot, search_plot
from ml_orchestrator.training.refining import Recipe, plain, refine
from ml_orchestrator.training.requirements import pip_requirements
from ml_orchestrator.training.scoring import n_threads
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.study import StudyResult
from ml_orchestrator.training.summary import last_words, summarise
from ml_orchestrator.training.table import TrainingTable
from ml_orchestrator.training.trials import SEARCH_ENDS, Away, Report, Search, run, set_up
from ml_orchestrator.training.warm_start import Leader, Recall, leaders_of

__all__ = ["Report", "TrainedModel", "check", "check_part", "input_example", "train"]

N_EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted pipeline that takes raw rows, with what is known about it.

    Where that helps, ``pipeline`` is a blend of several (``training.blend``). ``input_example``
    holds up to five raw feature rows as a caller would send them (times as ISO 8601 text);
    ``plots`` are PNGs by name and ``card`` is a model card in Markdown. ``leaders`` are what
    later searches on similar data begin with, none where nothing was searched.
    """

    pipeline: Any
    summary: TrainingSummary
    input_example: pd.DataFrame
    plots: dict[str, bytes]
    pip_requirements: list[str]
    card: str
    leaders: tuple[Leader, ...] = ()


def check(spec: TrainingSpec, dataset: Dataset) -> tuple[str, ...]:
    """Return what ``train`` would warn of at its start; nothing is fitted or written.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    return prepare(spec, dataset).warnings


def train(
    spec: TrainingSpec,
    dataset: Dataset,
    *,
    study_dir: Path,
    report: Report,
    recall: Recall = lambda _: (),
    is_stopped: Callable[[], bool] = lambda: False,
    away: Away | None = None,
    shelf: StudyShelf | None = None,
) -> TrainedModel:
    """Search, fit and judge a model; resumes a search that was killed on the same ``study_dir``,
    or with the same ``shelf``.

    The held-out rows are set aside before anything is fitted and touched once, at the end; the
    model that is returned is the one judged, fitted on the other rows. One that looks back at the
    past of time series then knows the held-out rows as such, without learning from them.

    Args:
        spec: what to train and search.
        dataset: the loaded data of ``spec.source``.
        study_dir: a directory of this training's own; made after all checks.
        report: told a fraction from 0 to 1, a sentence and numbers after every fold; what it
            raises stops the training and is passed on.
        recall: asked once, at the first run of a study, for what earlier searches found.
        is_stopped: asked after every fold; once it is true, the search ends with the best so
            far, or with its first complete trial if there is none yet.
        away: gives the cluster on which trials run, several at once; None runs them here.
        shelf: keeps the search where other machines find it; None keeps it in ``study_dir``.

    Raises:
        InvalidInputError: the data or the spec cannot be used; nothing was written.
        ConflictError: another process trains in this directory, or it holds another study.
        UnavailableError: the cluster cannot be used.
    """
    began_at = time.monotonic()
    report(0.0, f"Checking {spec.source}.", {})
    job = prepare(spec, dataset)
    with threadpool_limits(n_threads(job.table)):
        search = set_up(job, study_dir, recall=recall, began_at=began_at, away=away, shelf=shelf)
        result = run(search, report=report, is_stopped=is_stopped)
        report(SEARCH_ENDS, "Fitting the best and judging it on held-out rows.", {})
        result, choice = _chosen(job, result)
        recipe, judged = _finish(search, result)
    summary = summarise(search, result, recipe, judged, choice)
    plots = _plots(job, result, judged)
    summary = summary.model_copy(update={"seconds": time.monotonic() - began_at})
    report(1.0, last_words(summary), {"cv_score": summary.cv_score})
    return TrainedModel(
        pipeline=judged.model,
        summary=summary,
        input_example=input_example(judged.model, job.table),
        plots=plots,
        pip_requirements=pip_requirements(judged.model),
        card=model_card(spec, summary, about=dataset.description),
        leaders=leaders_of(result, higher_is_better=job.table.metric.higher_is_better),
    )


def _chosen(job: Job, result: StudyResult) -> tuple[StudyResult, str]:
    """Return the result with the trial to hand over as its best, and the rule if it has one."""
    if not job.table.costs:
        return result, ""
    metric = job.table.metric
    front = front_of(result.trials, higher_is_better=metric.higher_is_better)
    best, rule = choose(
        front, job.table.costs, metric=metric.name, higher_is_better=metric.higher_is_better
    )
    return replace(result, best=best), rule


def _finish(search: Search, result: StudyResult) -> tuple[Recipe, Judged]:
    """Decide, fit and judge; in full if there is time for it, else what there is time for."""
    job, budget = search.job, search.budget
    has_time = result.stopped_by == "trials" and budget.is_ample(result.trials)
    recipe = plain(result)
    if job.spec.refine:
        # Of several objectives the chosen trial stays alone: an average takes what all take.
        candidates = replace(result, trials=(result.best,)) if job.table.costs else result
        recipe = refine(
            candidates,
            search.files,
            job.table,
            job.split,
            shares=(lambda trials: [0.0] * len(trials)) if has_time else budget.shares,
            seed=job.spec.seed,
        )
    model = make_model(recipe, job.build, job.table, job.split)
    importances_s = float("inf") if has_time else budget.importances_s()
    judged = judge(model, job.table, job.split, seed=job.spec.seed, importances_s=importances_s)
    let_look_back(model, job.table, job.split)
    return recipe, judged


def _plots(job: Job, result: StudyResult, judged: Judged) -> dict[str, bytes]:
    metric = job.table.metric
    several = (
        {"front": front_plot(result.trials, result.best, job.table.costs, metric)}
        if job.table.costs
        else {}
    )
    return {
        **several,
        "search": search_plot(result.trials, metric),
        **holdout_plots(judged.predictions, job.table.classes),
        "importances": importance_plot(judged.importances, metric),
    }


def input_example(model: Any, table: TrainingTable) -> pd.DataFrame:
    """Return a few raw rows of what a fitted model takes, as sent: times as ISO 8601 text."""
    example = table.features[list(columns_of(model, table))].head(N_EXAMPLE_ROWS).copy()
    for name in table.kinds.temporal:
        texts = [None if pd.isna(moment) else moment.isoformat() for moment in example[name]]
        example[name] = pd.Series(texts, index=example.index, dtype=object)
    return example
