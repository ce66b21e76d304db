"""How a search scores parameters: a pipeline for them, fitted and judged on each fold."""

import time
from collections.abc import Callable, Iterator

from sklearn.pipeline import Pipeline

from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.judging import Build
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, Timing, mean_score
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.table import TrainingTable
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["evaluate_on", "n_threads", "pipeline_of"]

MANY_CELLS = 50_000  # table cells from which threads pay for trees


def evaluate_on(
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


def pipeline_of(spec: TrainingSpec, table: TrainingTable, params: Params) -> Pipeline:
    """Return the unfitted pipeline of a trainer's parameters, its name among them."""
    trainer = TRAINERS[str(params["trainer"])]
    n_jobs = None if n_threads(table) == 1 else -1
    estimator = trainer.build(table.problem, params, seed=spec.seed, n_jobs=n_jobs)
    return build_pipeline(table.kinds, trainer.needs, estimator)


def n_threads(table: TrainingTable) -> int | None:
    """Return 1 where threads would wait for one another longer than they work; None is all."""
    return 1 if table.features.size < MANY_CELLS else None
