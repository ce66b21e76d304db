"""Training from a data set to a model with a held-out estimate."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training._optuna import check_sampler, run_study
from ml_orchestrator.training.budget import Budget
from ml_orchestrator.training.card import model_card
from ml_orchestrator.training.families import full, suggest_from, unknown_trainer, usable
from ml_orchestrator.training.judging import judge, make_model
from ml_orchestrator.training.meta_features import meta_features
from ml_orchestrator.training.models import TrainingSpec, TrainingSummary, WarmStart
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.plots import holdout_plots, importance_plot, search_plot
from ml_orchestrator.training.refining import plain, refine
from ml_orchestrator.training.requirements import pip_requirements
from ml_orchestrator.training.scoring import evaluate_on, forecast_on, n_threads, pipeline_of
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.study import Objective, StudyPlan, StudyProgress, StudyResult
from ml_orchestrator.training.summary import last_words, leakage_warnings, summarise
from ml_orchestrator.training.table import TrainingTable, check_head, prepare_table
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.training.warm_start import (
    Recall,
    Starts,
    choose_starts,
    kept_or_chosen,
    starts_for,
)

__all__ = ["Report", "TrainedModel", "check", "check_part", "train"]

Report = Callable[[float, str, Mapping[str, float]], None]

SEARCH_STARTS, SEARCH_ENDS = 0.05, 0.85
CHEAP_FIRST = ("linear", "lightgbm", "histogram_boosting", "forest", "extra_trees")
N_EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted pipeline that takes raw rows, with what is known about it.

    Where that helps, ``pipeline`` is a blend of several (``training.blend``). ``input_example``
    holds up to five raw feature rows as a caller would send them (times as ISO 8601 text);
    ``plots`` are PNGs by name and ``card`` is a model card in Markdown.
    """

    pipeline: Any
    summary: TrainingSummary
    input_example: pd.DataFrame
    plots: dict[str, bytes]
    pip_requirements: list[str]
    card: str


def check(spec: TrainingSpec, dataset: Dataset) -> None:
    """Return if ``train`` could start on this data; nothing is fitted or written.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    names = _trainer_names(spec)
    check_sampler(spec.sampler)
    table = prepare_table(spec, dataset)
    usable(names, table.problem)
    plan_split(spec, table)


def check_part(spec: TrainingSpec, head: Dataset) -> None:
    """Return unless ``train`` is certain to refuse a file whose first rows are ``head``.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    _trainer_names(spec)
    check_sampler(spec.sampler)
    check_head(spec, head)


def train(
    spec: TrainingSpec,
    dataset: Dataset,
    *,
    study_dir: Path,
    report: Report,
    recall: Recall = lambda _: (),
    is_stopped: Callable[[], bool] = lambda: False,
) -> TrainedModel:
    """Search, fit and judge a model; resumes a search that was killed on the same ``study_dir``.

    The held-out rows are set aside before anything is fitted and touched once, at the end; the
    model that is returned is the one judged, fitted on the other rows.

    Args:
        spec: what to train and search.
        dataset: the loaded data of ``spec.source``.
        study_dir: a directory of this training's own; made after all checks.
        report: told a fraction from 0 to 1, a sentence and numbers after every fold; what it
            raises stops the training and is passed on.
        recall: asked once, at the first run of a study, for what earlier searches found.
        is_stopped: asked after every fold; once it is true, the search ends with the best so
            far, or with its first complete trial if there is none yet.

    Raises:
        InvalidInputError: the data or the spec cannot be used; nothing was written.
        ConflictError: another process trains in this directory, or it holds another study.
    """
    began_at = time.monotonic()
    names = _trainer_names(spec)
    report(0.0, f"Checking {spec.source}.", {})
    table = prepare_table(spec, dataset)
    names = usable(names, table.problem)
    split = plan_split(spec, table)
    build = partial(pipeline_of, spec, table)
    with threadpool_limits(n_threads(table), user_api="openmp"):
        meta = meta_features(table, split.train)
        known = _starts(spec, dataset, table, study_dir, names, meta=meta, recall=recall)
        starts = partial(starts_for, known, higher_is_better=table.metric.higher_is_better)
        leaks = leakage_warnings(table, split)
        files = AnswerFiles(study_dir, higher_is_better=table.metric.higher_is_better)
        budget = Budget(spec.timeout_s, table, split, files, refines=spec.refine, began_at=began_at)
        plan = replace(
            _plan(spec, dataset, table, study_dir, names, starts=starts),
            timeout_s=budget.left_s,
            reserve_s=budget.reserve_s,
        )
        searched_at = time.monotonic()
        objective = Objective(
            suggest_from(names, table.problem),
            evaluate_on(table, split, build, files),
            forecast_on(table, split, build),
        )
        result = run_study(
            plan,
            objective,
            on_progress=lambda progress: _report_search(report, table.metric.name, progress),
            is_stopped=is_stopped,
        )
        budget.count_earlier(result.elapsed_s - (time.monotonic() - searched_at))
        has_time = result.stopped_by == "trials" and budget.is_ample(result.trials)
        report(SEARCH_ENDS, "Fitting the best and judging it on held-out rows.", {})
        recipe = plain(result)
        if spec.refine:
            affordable = len if has_time else budget.affordable
            recipe = refine(result, files, table, split, affordable=affordable, seed=spec.seed)
        model = make_model(recipe, build, table, split)
        shuffling_s = float("inf") if has_time else budget.importances_s()
        judged = judge(model, table, split, seed=spec.seed, importances_s=shuffling_s)
    summary = summarise(
        spec,
        dataset,
        judged,
        result,
        recipe,
        split=split,
        table=table,
        meta=meta,
        leaks=leaks,
        warm_starts=_tried(starts, result, len(names)),
    )
    plots = {
        "search": search_plot(result.trials, table.metric),
        **holdout_plots(judged.predictions, table.classes),
        "importances": importance_plot(judged.importances, table.metric),
    }
    summary = summary.model_copy(update={"seconds": time.monotonic() - began_at})
    report(1.0, last_words(summary), {"cv_score": summary.cv_score})
    return TrainedModel(
        pipeline=model,
        summary=summary,
        input_example=_input_example(table),
        plots=plots,
        pip_requirements=pip_requirements(model),
        card=model_card(spec, summary, about=dataset.description),
    )


def _trainer_names(spec: TrainingSpec) -> list[str]:
    unknown = [name for name in spec.trainers if name not in TRAINERS]
    if unknown:
        raise unknown_trainer(unknown[0])
    chosen = spec.trainers or tuple(TRAINERS)
    cheap = [name for name in CHEAP_FIRST if name in chosen]
    return [*cheap, *sorted(set(chosen) - set(cheap))]


def _starts(
    spec: TrainingSpec,
    dataset: Dataset,
    table: TrainingTable,
    study_dir: Path,
    names: list[str],
    *,
    meta: Mapping[str, float],
    recall: Recall,
) -> tuple[WarmStart, ...]:
    if not spec.warm_start:
        return ()
    return kept_or_chosen(
        study_dir,
        lambda: choose_starts(
            recall(table.task),
            meta,
            dataset_digest=dataset.digest,
            trainers=names,
            problem=table.problem,
        ),
    )


def _plan(
    spec: TrainingSpec,
    dataset: Dataset,
    table: TrainingTable,
    study_dir: Path,
    names: list[str],
    *,
    starts: Starts,
) -> StudyPlan:
    question = spec.model_dump(exclude={"n_trials", "timeout_s", "source", "refine"})
    content = json.dumps({**question, "trainers": names, "digest": dataset.digest}, sort_keys=True)
    return StudyPlan(
        directory=study_dir,
        fingerprint=hashlib.sha256(content.encode()).hexdigest(),
        higher_is_better=table.metric.higher_is_better,
        n_trials=spec.n_trials,
        timeout_s=spec.timeout_s,
        seed=spec.seed,
        first=[full(name, TRAINERS[name].first_params) for name in names],
        then=lambda tried: [full(start.trainer, start.params) for start in starts(tried)],
        family="trainer",
        families=names,
        allocation=spec.allocation,
        sampler=spec.sampler,
        n_folds=spec.n_folds,
    )


def _tried(starts: Starts, result: StudyResult, n_first: int) -> tuple[WarmStart, ...]:
    """Return the starts that the search came to."""
    n_others = max(0, len(result.trials) - n_first)
    return tuple(starts(result.trials[:n_first]))[:n_others]


def _report_search(report: Report, metric: str, progress: StudyProgress) -> None:
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


def _input_example(table: TrainingTable) -> pd.DataFrame:
    example = table.features.head(N_EXAMPLE_ROWS).copy()
    for name in table.kinds.temporal:
        texts = [None if pd.isna(moment) else moment.isoformat() for moment in example[name]]
        example[name] = pd.Series(texts, index=example.index, dtype=object)
    return example
