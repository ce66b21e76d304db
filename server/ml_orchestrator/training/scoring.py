"""How a search scores parameters: a pipeline for them, fitted and judged on each fold."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.training.costs import CostBook
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.judging import Build
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import Keeper, Timing
from ml_orchestrator.training.preprocessing import OPTION_NAMES, FeatureOptions, build_pipeline
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Rows, Split
from ml_orchestrator.training.study import GivenUpError, TrialFailedError
from ml_orchestrator.training.table import TrainingTable
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["evaluate_on", "forecast_on", "n_threads", "pipeline_of"]

_log = logging.getLogger(__name__)

SAMPLES = (250, 250, 1_000)  # rows; the first only warms up, which includes imports
MANY_ROWS = 4_000  # of a fold, from which a family is tried on samples first
MANY_CELLS = 50_000  # table cells from which threads pay for trees


def evaluate_on(
    table: TrainingTable,
    split: Split,
    build: Build,
    files: Keeper,
    book: CostBook | None = None,
) -> Callable[[Params], Iterator[float]]:
    """Return what scores parameters fold by fold, and keeps the answers once all are there.

    What a model takes is measured on that of the last fold, if it is asked for.
    """

    def evaluate(params: Params) -> Iterator[float]:
        answers: list[Predictions] = []
        scores: list[float] = []
        fit_s = predict_s = 0.0
        for fit_rows, score_rows in split.folds:
            pipeline, given, score, took = _fold(table, build, params, fit_rows, score_rows)
            answers.append(given)
            scores.append(score)
            fit_s += took.fit_s
            predict_s += took.predict_row_s * len(score_rows)
            yield score
        if book is not None and book.costs:
            _measure(book, params, pipeline, table, split)
        timing = Timing(fit_s, predict_s / sum(len(score) for _, score in split.folds))
        files.keep(params, answers, score=float(np.mean(scores)), timing=timing)

    return evaluate


def forecast_on(
    table: TrainingTable, split: Split, build: Build
) -> Callable[[Params], float | None]:
    """Return what tells how many seconds a fold may take, from samples of the first one.

    A straight line through the times of 250 and 1,000 rows; a family that takes more than twice
    as long on twice the rows is thought too quick. None for folds of up to 4,000 rows, which are
    not worth the samples, and where a sample could not be fitted.
    """

    def forecast(params: Params) -> float | None:
        fit_rows, score_rows = split.folds[0]
        if len(fit_rows) <= MANY_ROWS:
            return None
        rng = np.random.default_rng(0)
        seconds = []
        for n_rows in SAMPLES:
            share = n_rows / len(fit_rows)
            some, others = _sample(fit_rows, share, rng), _sample(score_rows, share, rng)
            began_at = time.perf_counter()
            try:
                _fold(table, build, params, some, others)
            except TrialFailedError:
                return None
            seconds.append(time.perf_counter() - began_at)
        few_s, many_s = seconds[1:]
        row_s = max(0.0, many_s - few_s) / (SAMPLES[2] - SAMPLES[1])
        return many_s + row_s * (len(fit_rows) - SAMPLES[2])

    return forecast


def _sample(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    return np.sort(rng.choice(rows, max(1, int(share * len(rows))), replace=False))


def _measure(
    book: CostBook, params: Params, pipeline: Pipeline, table: TrainingTable, split: Split
) -> None:
    """Write down what the pipeline takes; the trial is lost if it cannot be saved."""
    with _losing_the_trial(params, "A model of %s could not be measured"):
        book.add(params, pipeline, table.features.iloc[split.folds[-1][1]])


def _fold(
    table: TrainingTable, build: Build, params: Params, fit_rows: Rows, score_rows: Rows
) -> tuple[Pipeline, Predictions, float, Timing]:
    """Fit on some rows, predict others and score; whatever a library raises loses the trial.

    Raises:
        TrialFailedError: it could not be built, fitted, asked or scored; the traceback is logged.
    """
    began_at = time.perf_counter()
    with _losing_the_trial(params, "A fold of %s failed"):
        pipeline = fit(build(params), table, fit_rows)
        fitted_at = time.perf_counter()
        given = predict(pipeline, table.features.iloc[score_rows], table, score_rows)
        predicted_at = time.perf_counter()
        score = table.metric.compute(given)
    row_s = (predicted_at - fitted_at) / len(score_rows)
    return pipeline, given, score, Timing(fitted_at - began_at, row_s)


@contextmanager
def _losing_the_trial(params: Params, what: str) -> Iterator[None]:
    """Turn whatever a library raises into the loss of the trial; what is ours passes."""
    try:
        yield
    except (OrchestratorError, GivenUpError):
        raise
    except Exception as fault:
        _log.warning(what, params["trainer"], exc_info=True)
        raise TrialFailedError(f"{type(fault).__name__}: {fault}") from fault


def pipeline_of(
    spec: TrainingSpec, table: TrainingTable, params: Params, *, most_threads: int | None = None
) -> Pipeline:
    """Return the unfitted pipeline of a trainer's parameters, its name among them.

    ``most_threads`` is 1 for a process that has one core to itself; None leaves it all of them.
    """
    trainer = TRAINERS[str(params["trainer"])]
    n_jobs = None if 1 in {n_threads(table), most_threads} else -1
    own = {name: value for name, value in params.items() if name not in OPTION_NAMES}
    options: Any = {name: value for name, value in params.items() if name in OPTION_NAMES}
    estimator = trainer.build(table.problem, own, seed=spec.seed, n_jobs=n_jobs)
    return build_pipeline(table.kinds, trainer.needs, estimator, FeatureOptions(**options))


def n_threads(table: TrainingTable) -> int | None:
    """Return 1 where threads would wait for one another longer than they work; None is all."""
    return 1 if table.features.size < MANY_CELLS else None
