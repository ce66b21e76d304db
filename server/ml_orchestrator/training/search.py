"""Training from a data set to a model with a held-out estimate."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.card import model_card
from ml_orchestrator.training.families import full, suggest_from, unknown_trainer, usable
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.judging import Build, judge, make_model
from ml_orchestrator.training.meta_features import meta_features
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec, TrainingSummary, WarmStart
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, Timing, mean_score
from ml_orchestrator.training.plots import holdout_plots, importance_plot, search_plot
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.refining import plain, refine
from ml_orchestrator.training.requirements import pip_requirements
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.study import Objective, StudyPlan, StudyProgress, StudyResult
from ml_orchestrator.training.summary import last_words, summarise
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
CHEAP_FIRST = ("linear", "histogram_boosting", "forest", "extra_trees")
MANY_CELLS = 50_000  # table cells from which threads pay for trees
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
    table = prepare_table(spec, dataset)
    usable(names, table.problem)
    plan_split(spec, table)


def check_part(spec: TrainingSpec, head: Dataset) -> None:
    """Return unless ``train`` is certain to refuse a file whose first rows are ``head``.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    _trainer_names(spec)
    check_head(spec, head)


def train(
    spec: TrainingSpec,
    dataset: Dataset,
    *,
    study_dir: Path,
    report: Report,
    recall: Recall = lambda _: (),
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
    build = partial(_pipeline, spec, table)
    with threadpool_limits(_n_threads(table), user_api="openmp"):
        meta = meta_features(table, split.train)
        known = _starts(spec, dataset, table, study_dir, names, meta=meta, recall=recall)
        starts = partial(starts_for, known, higher_is_better=table.metric.higher_is_better)
        plan = _plan(spec, dataset, table, study_dir, names, starts=starts)
        files = AnswerFiles(study_dir, higher_is_better=table.metric.higher_is_better)
        result = run_study(
            plan,
            Objective(suggest_from(names, table.problem), _evaluate_on(table, split, build, files)),
            on_progress=lambda progress: _report_search(report, table.metric.name, progress),
        )
        report(SEARCH_ENDS, "Fitting the best and judging it on held-out rows.", {})
        recipe = plain(result)
        if spec.refine:
            recipe = refine(result, files, table, split, affordable=len, seed=spec.seed)
        model = make_model(recipe, build, table, split)
        judged = judge(model, table, split, seed=spec.seed, importances_s=float("inf"))
    summary = summarise(
        spec,
        dataset,
        judged,
        result,
        recipe,
        split=split,
        table=table,
        meta=meta,
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
    question = spec.model_dump(exclude={"n_trials", "timeout_s", "source"})
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
    )


def _tried(starts: Starts, result: StudyResult, n_first: int) -> tuple[WarmStart, ...]:
    """Return the starts that the search came to."""
    n_others = max(0, len(result.trials) - n_first)
    return tuple(starts(result.trials[:n_first]))[:n_others]


def _evaluate_on(
    table: TrainingTable, split: Split, build: Build, files: AnswerFiles
) -> Callable[[Params], Iterator[float]]:
    """Return what scores parameters fold by fold, and keeps the answers once all are there."""

    def evaluate(params: Params) -> Iterator[float]:
        answers: list[Predictions] = []
        fit_s = predict_s = 0.0
        for fit_rows, score_rows in split.folds:
            began_at = time.perf_counter()
            pipeline = fit(build(params), table, fit_rows)
            fitted_at = time.perf_counter()
            answers.append(predict(pipeline, table.features.iloc[score_rows], table, score_rows))
            fit_s += fitted_at - began_at
            predict_s += time.perf_counter() - fitted_at
            yield table.metric.compute(answers[-1])
        timing = Timing(fit_s, predict_s / sum(len(score) for _, score in split.folds))
        score = mean_score(Answers(tuple(answers)), table.metric)
        files.keep(params, answers, score=score, timing=timing)

    return evaluate


def _pipeline(spec: TrainingSpec, table: TrainingTable, params: Params) -> Pipeline:
    trainer = TRAINERS[str(params["trainer"])]
    n_jobs = None if _n_threads(table) == 1 else -1
    estimator = trainer.build(table.problem, params, seed=spec.seed, n_jobs=n_jobs)
    return build_pipeline(table.kinds, trainer.needs, estimator)


def _n_threads(table: TrainingTable) -> int | None:
    """Return 1 where threads would wait for one another longer than they work; None is all."""
    return 1 if table.features.size < MANY_CELLS else None


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
