"""How much of a training's time its end will take, so that the search stops early enough.

After the search come decisions on out-of-fold answers, the last fit, and the look at the held-out
rows. What each takes is forecast from what was measured: folds that were fitted, rows that were
predicted, and the work of the metrics on as many rows.
"""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ml_orchestrator.training.families import local
from ml_orchestrator.training.gains import N_RESAMPLES
from ml_orchestrator.training.holdout import n_shuffles
from ml_orchestrator.training.intervals import n_resamples
from ml_orchestrator.training.metrics import Metric, Predictions, standard_metrics
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.refining import MAX_MEMBERS, n_comparisons, n_looked_at
from ml_orchestrator.training.shortlist import shortlist
from ml_orchestrator.training.splits import Rows, Split
from ml_orchestrator.training.study import FinishedTrial, ranked
from ml_orchestrator.training.table import TrainingTable

__all__ = ["Budget"]

MEMBERS_SHARE = 0.2  # of the time, for the last fit of more than the best
IMPORTANCES_SHARE = 0.05  # of the time, at most
LEAST_SHARE = 0.02  # of the time, for the same, even when it is over or an average takes it
PICTURES_S = 1.0  # on an idle core, as the next
SHUFFLE_S = 0.006  # of one prediction, beside its rows
SAFETY = 1.2
N_TIMED = 3  # computations of a metric; the first of a process takes longer
MOST_SLOWED = 10.0


class Budget:
    """The time of one training, from ``began_at`` on."""

    def __init__(
        self,
        timeout_s: float,
        table: TrainingTable,
        split: Split,
        files: AnswerFiles,
        *,
        refines: bool,
        began_at: float,
        clock: Callable[[], float] = time.monotonic,
        work_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._timeout_s = timeout_s
        self._table = table
        self._split = split
        self._files = files
        self._refines = refines
        self._began_at = began_at
        self._clock = clock
        self._work_clock = work_clock
        self._worked_at = work_clock()
        self._waited_at = clock()
        fitted = float(np.mean([len(rows) for rows, _ in split.folds]))
        self._growth = len(split.train) / fitted
        self._judging_work_s = self._judging_s()
        self._deciding_work_s = self._deciding_s() if refines else 0.0

    def count_earlier(self, seconds: float) -> None:
        """Count what processes before this one spent on the same training."""
        self._began_at -= max(0.0, seconds)

    def is_ample(self, trials: Sequence[FinishedTrial]) -> bool:
        """Return whether the whole end, with nothing left out, is forecast to fit what is left."""
        best, *others = self._candidates(trials)
        n_more = MAX_MEMBERS - 1 if self._refines else 0
        fits_s = self._fit_s(best) + _longest(map(self._fit_s, others), n_more)
        shuffles_s = self._shuffles_s(best) + _longest(map(self._shuffles_s, others), n_more)
        return SAFETY * fits_s + shuffles_s + self._looking_s <= self.left_s

    @property
    def left_s(self) -> float:
        """Seconds until the time is over; below 0 afterwards."""
        return self._timeout_s - (self._clock() - self._began_at)

    def reserve_s(self, trials: Sequence[FinishedTrial]) -> float:
        """Return the seconds that are needed once the search is over, at most half of all."""
        candidates = self._candidates(trials)
        if not candidates:
            return 0.0
        best_s, *others_s = [self._fit_s(trial) for trial in candidates[:MAX_MEMBERS]]
        others = min(sum(others_s), MEMBERS_SHARE * self._timeout_s) if self._refines else 0.0
        needed = SAFETY * (best_s + others) + self._importances_s(candidates) + self._looking_s
        return min(needed, self._timeout_s / 2)

    def shares(self, trials: Sequence[FinishedTrial]) -> list[float]:
        """Return what part of the time left for the last fit each of these would take of it.

        The first, the best alone, is fitted where nothing is averaged; an average may leave it out.
        It comes before importances, which make do with what it leaves.
        """
        left_s = self.left_s - self._looking_s - LEAST_SHARE * self._timeout_s
        fits_s = [SAFETY * self._fit_s(trial) for trial in trials]
        return [fit_s / left_s if left_s > 0 else float("inf") for fit_s in fits_s]

    def importances_s(self) -> float:
        """Return the seconds that shuffling columns may take now."""
        return max(LEAST_SHARE * self._timeout_s, self.left_s - self._slowed * self._judging_work_s)

    @property
    def _looking_s(self) -> float:
        return self._slowed * (self._judging_work_s + self._deciding_work_s)

    @property
    def _slowed(self) -> float:
        """How much longer than on an idle core things take here, seen from the search so far."""
        worked_s = self._work_clock() - self._worked_at
        waited_s = self._clock() - self._waited_at
        return min(max(1.0, waited_s / worked_s), MOST_SLOWED) if worked_s > 0.1 else 1.0

    def _candidates(self, trials: Sequence[FinishedTrial]) -> list[FinishedTrial]:
        best_first = ranked(trials, higher_is_better=self._table.metric.higher_is_better)
        return shortlist(best_first, lambda trial: str(trial.params["trainer"]))

    def _fit_s(self, trial: FinishedTrial) -> float:
        timing = self._files.timing(local(trial.params))
        whole = trial.seconds if timing is None else timing.fit_s
        return whole / len(self._split.folds) * self._growth

    def _importances_s(self, trials: Sequence[FinishedTrial]) -> float:
        """Return how long shuffling takes if as many as may be, best first, answer together."""
        members = trials[: MAX_MEMBERS if self._refines else 1]
        return min(sum(map(self._shuffles_s, members)), IMPORTANCES_SHARE * self._timeout_s)

    def _shuffles_s(self, trial: FinishedTrial) -> float:
        timing = self._files.timing(local(trial.params))
        n_rows, n_columns = len(self._split.test), len(self._table.kinds.names)
        row_s = 0.0 if timing is None else timing.predict_row_s
        each_s = self._slowed * SHUFFLE_S + row_s * min(n_rows, 1_000)
        return each_s * n_shuffles(n_columns) * n_columns

    def _judging_s(self) -> float:
        rows = self._split.test
        metrics = standard_metrics(self._table.metric)
        each_s = sum(self._work_s(metric, rows) for metric in metrics)
        over_baseline_s = 2 * N_RESAMPLES * self._work_s(self._table.metric, rows)
        return PICTURES_S + each_s * n_resamples(len(rows)) + over_baseline_s

    def _deciding_s(self) -> float:
        scored = np.concatenate([score for _, score in self._split.folds])
        rows = scored[: n_looked_at(len(scored))]
        return self._work_s(self._table.metric, rows) * n_comparisons(len(self._split.folds))

    def _work_s(self, metric: Metric, rows: Rows) -> float:
        """Return how long the metric computes on so many rows; their own values are not looked at.

        Waiting does not count here: how much longer things take on a busy machine is counted in
        once, where a forecast is made.
        """
        given, taken = _made_up(self._table, len(rows)), []
        for _ in range(N_TIMED):
            began_at = self._work_clock()
            metric.compute(given)
            taken.append(self._work_clock() - began_at)
        return min(taken)


def _longest(seconds: Iterable[float], n: int) -> float:
    return sum(sorted(seconds, reverse=True)[:n])


def _made_up(table: TrainingTable, n_rows: int) -> Predictions:
    n_classes = len(table.classes)
    rng = np.random.default_rng(0)
    weights = None if table.weights is None else np.ones(n_rows)
    if n_classes:
        truth = rng.integers(0, n_classes, n_rows)
        return Predictions(truth, truth, rng.dirichlet(np.ones(n_classes), n_rows), weights)
    values = rng.normal(size=n_rows)
    return Predictions(values, values, np.empty((n_rows, 0)), weights)
