"""A whole trial as it runs in another process, without the search that asked for it."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.training.costs import CostBook
from ml_orchestrator.training.epochs import hearing
from ml_orchestrator.training.job import Job
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import Timing
from ml_orchestrator.training.pools import Answered, Ended, Order, Trial
from ml_orchestrator.training.scoring import evaluate_on, pipeline_of
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.study import GivenUpError, TrialFailedError
from ml_orchestrator.training.table import TrainingTable

__all__ = ["trial_of"]

_log = logging.getLogger(__name__)


def trial_of(job: Job) -> Trial:
    """Return what runs a trial of a job anywhere: it holds the rows, and no path of a machine."""
    table = replace(job.table, frame=job.table.frame.clear())  # the features have its columns
    return partial(_run, job.spec, table, job.split)


def _run(spec: TrainingSpec, table: TrainingTable, split: Split, order: Order) -> Ended:
    book, kept = CostBook(table.costs), _Kept()
    build = partial(pipeline_of, spec, table, most_threads=1)
    folds = evaluate_on(table, split, build, kept, book)(order.params)
    with threadpool_limits(1):
        watched = _Watched(order, n_folds=len(split.folds))
        ended = watched.ended(folds)
    if ended.state != "complete":
        return ended
    return replace(ended, costs=tuple(book.of(order.params)), answered=kept.answered)


class _Kept:
    """Holds what ``AnswerFiles`` would write."""

    def __init__(self) -> None:
        self.answered: Answered | None = None

    def keep(
        self, params: Params, folds: Sequence[Predictions], *, score: float, timing: Timing
    ) -> None:
        self.answered = Answered(tuple(folds), score, timing)


@dataclass(slots=True)
class _Watched:
    """A trial that ends itself when it is behind others or its time is over."""

    order: Order
    n_folds: int
    began_at: float = field(default_factory=time.monotonic)
    scores: list[float] = field(default_factory=list)
    curve: list[float] = field(default_factory=list)

    def ended(self, folds: Iterator[float]) -> Ended:
        error = ""
        try:
            with hearing(self._hear):
                state = self._through(folds)
        except GivenUpError as given_up:
            state = given_up.state
        except TrialFailedError as fault:
            state, error = "failed", str(fault)
        except OrchestratorError as fault:
            _log.warning("A trial of %s failed", self.order.params.get("trainer"), exc_info=True)
            state, error = "failed", f"{type(fault).__name__}: {fault}"
        return Ended(
            state=state,
            scores=tuple(self.scores),
            seconds=self._took_s(),
            error=error,
            curve=tuple(self.curve),
        )

    def _through(
        self, folds: Iterator[float]
    ) -> Literal["complete", "pruned", "failed", "cut off"]:
        for score in folds:
            if not np.isfinite(score):
                raise TrialFailedError(f"the score is {score}")
            self.scores.append(float(score))
            if self._is_out_of_time():
                return "cut off"
            if len(self.scores) < self.n_folds and self.order.rivals.have_outrun(self.scores):
                return "pruned"
        return "complete"

    def _hear(self, loss: float) -> None:
        if not self.scores:
            self.curve.append(loss)
        if self.order.left_s is not None and self._took_s() > self.order.left_s:
            raise GivenUpError("cut off")
        if not self.scores and self.order.rivals.have_learnt_more(self.curve):
            raise GivenUpError("pruned")

    def _is_out_of_time(self) -> bool:
        n_done = len(self.scores)
        if self.order.left_s is None or n_done == self.n_folds:
            return False
        return self._took_s() * self.n_folds / n_done > self.order.left_s

    def _took_s(self) -> float:
        return time.monotonic() - self.began_at
