"""Training from a data set to a model with a held-out estimate."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ml_orchestrator.datasets.leakage import find_leakage
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.families import full, local, suggest_from, usable
from ml_orchestrator.training.holdout import (
    baseline_scores,
    fit,
    permutation_importances,
    predict,
)
from ml_orchestrator.training.intervals import holdout_intervals
from ml_orchestrator.training.meta_features import meta_features
from ml_orchestrator.training.metrics import Predictions, standard_metrics
from ml_orchestrator.training.models import (
    Importance,
    TrainingSpec,
    TrainingSummary,
    WarmStart,
)
from ml_orchestrator.training.plots import holdout_plots, importance_plot, search_plot
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.requirements import pip_requirements
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.study import Objective, StudyPlan, StudyProgress, StudyResult
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
NOTABLE_SHARE_CHANGE = 0.05


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted pipeline that takes raw rows, with what is known about it.

    ``input_example`` holds up to five raw feature rows as a caller would send them (times as
    ISO 8601 text); ``plots`` are PNGs by name.
    """

    pipeline: Pipeline
    summary: TrainingSummary
    input_example: pd.DataFrame
    plots: dict[str, bytes]
    pip_requirements: list[str]


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
    with threadpool_limits(_n_threads(table), user_api="openmp"):
        meta = meta_features(table, split.train)
        known = _starts(spec, dataset, table, study_dir, names, meta=meta, recall=recall)
        starts = partial(starts_for, known, higher_is_better=table.metric.higher_is_better)
        result = run_study(
            _plan(spec, dataset, table, study_dir, names, starts=starts),
            Objective(suggest_from(names, table.problem), _evaluate_on(spec, table, split)),
            on_progress=lambda progress: _report_search(report, table.metric.name, progress),
        )
        report(SEARCH_ENDS, "Fitting the best and judging it on held-out rows.", {})
        judged = _judge(spec, table, split, result)
    seconds = time.monotonic() - began_at
    summary = _summary(spec, dataset, judged, result, split=split, table=table, seconds=seconds)
    summary = summary.model_copy(
        update={"meta_features": meta, "warm_starts": _tried(starts, result, len(names))}
    )
    report(1.0, _last_words(summary), {"cv_score": summary.cv_score})
    plots = {
        "search": search_plot(result.trials, table.metric),
        **holdout_plots(judged.predictions, table.classes),
        "importances": importance_plot(judged.importances, table.metric),
    }
    return TrainedModel(
        judged.pipeline, summary, _input_example(table), plots, pip_requirements(judged.pipeline)
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """The chosen model, fitted, and what it does on the held-out rows."""

    pipeline: Pipeline
    predictions: Predictions
    importances: tuple[Importance, ...]


def _judge(spec: TrainingSpec, table: TrainingTable, split: Split, result: StudyResult) -> _Judged:
    pipeline = fit(_pipeline(spec, table, local(result.best.params)), table, split.train)
    features = table.features.iloc[split.test]
    importances = permutation_importances(
        pipeline, table, split.test, metric=table.metric, seed=spec.seed
    )
    return _Judged(pipeline, predict(pipeline, features, table, split.test), importances)


def _trainer_names(spec: TrainingSpec) -> list[str]:
    unknown = [name for name in spec.trainers if name not in TRAINERS]
    if unknown:
        raise InvalidInputError(f"No trainer {unknown[0]!r}; known: {', '.join(TRAINERS)}.")
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
    spec: TrainingSpec, table: TrainingTable, split: Split
) -> Callable[[Params], Iterator[float]]:
    def evaluate(params: Params) -> Iterator[float]:
        for fit_rows, score_rows in split.folds:
            pipeline = fit(_pipeline(spec, table, params), table, fit_rows)
            given = predict(pipeline, table.features.iloc[score_rows], table, score_rows)
            yield table.metric.compute(given)

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


def _summary(
    spec: TrainingSpec,
    dataset: Dataset,
    judged: _Judged,
    result: StudyResult,
    *,
    split: Split,
    table: TrainingTable,
    seconds: float,
) -> TrainingSummary:
    metrics = standard_metrics(table.metric)
    groups = None if table.groups is None else table.groups[split.test]
    params = local(result.best.params)
    states = [trial.state for trial in result.trials]
    return TrainingSummary(
        task=table.task,
        target=table.target,
        metric=table.metric.name,
        higher_is_better=table.metric.higher_is_better,
        trainer=str(params.pop("trainer")),
        params=params,
        cv_score=result.best.mean_score,
        cv_fold_scores=result.best.scores,
        holdout=holdout_intervals(
            metrics,
            judged.predictions,
            groups=groups,
            is_ordered=table.times is not None,
            seed=spec.seed,
        ),
        baseline=baseline_scores(metrics, table, split.train, split.test),
        n_rows_train=len(split.train),
        n_rows_test=len(split.test),
        n_trials=len(states),
        n_complete=states.count("complete"),
        n_pruned=states.count("pruned"),
        n_failed=states.count("failed"),
        stopped_by=result.stopped_by,
        features=table.kinds.names,
        importances=judged.importances,
        classes=table.classes,
        dataset_digest=dataset.digest,
        seed=spec.seed,
        meta_features={},
        warnings=(
            *table.warnings,
            *_share_warnings(spec, split),
            *_leakage_warnings(table, split),
        ),
        seconds=seconds,
    )


def _share_warnings(spec: TrainingSpec, split: Split) -> list[str]:
    share = len(split.test) / (len(split.train) + len(split.test))
    if abs(share - spec.test_fraction) <= NOTABLE_SHARE_CHANGE:
        return []
    return [
        f"{share:.1%} of the rows are held out, not the {spec.test_fraction:.1%} asked for: "
        "groups and equal times are not divided."
    ]


def _leakage_warnings(table: TrainingTable, split: Split) -> list[str]:
    suspects = find_leakage(table.frame[split.train], table.target, table.task)
    return [f"{suspect.column!r} may leak. {suspect.evidence}" for suspect in suspects]


def _last_words(summary: TrainingSummary) -> str:
    held_out = summary.holdout.get(summary.metric)
    if held_out is None:
        return f"Done: {summary.trainer}."
    return (
        f"Done: {summary.trainer} reaches {summary.metric} {held_out.estimate:.4f} "
        f"({held_out.low:.4f} to {held_out.high:.4f}) on {held_out.n:,} held-out rows."
    )


def _input_example(table: TrainingTable) -> pd.DataFrame:
    example = table.features.head(N_EXAMPLE_ROWS).copy()
    for name in table.kinds.temporal:
        texts = [None if pd.isna(moment) else moment.isoformat() for moment in example[name]]
        example[name] = pd.Series(texts, index=example.index, dtype=object)
    return example
