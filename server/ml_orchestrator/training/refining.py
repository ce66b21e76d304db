"""What becomes of a search's trials: which are averaged, and what is done to their answers.

Each step (average, calibration, threshold) is chosen on out-of-fold answers and judged by
cross-fitting: on each fold, with what the other folds chose, for the best alone as for the average.
An average, preferably of several families, is used unless the whole 90 % bootstrap interval of its
gain is below 0: which single model is best is uncertain, and an average does not bet on it. Nor is
it used where, in time order, the errors of all are larger than what is predicted spreads: what such
an average gains is errors that run off in opposite directions, which need not do so again. A
calibration and a threshold are used only if their whole interval is above 0. A calibration is for
the probabilities, so its gain is in log loss whatever the metric; it must not cost any of the
metric, by the estimate. Held-out rows are not looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.decisions import (
    bent,
    best_bend,
    best_threshold,
    cross_decided,
    decided,
)
from ml_orchestrator.training.ensemble import (
    average,
    best_alone,
    cross_selected,
    select_weights,
)
from ml_orchestrator.training.families import local
from ml_orchestrator.training.gains import Gain, gain
from ml_orchestrator.training.metrics import METRICS, Metric
from ml_orchestrator.training.models import Refinement
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, mean_score
from ml_orchestrator.training.shortlist import shortlist
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.study import FinishedTrial, StudyResult, ranked
from ml_orchestrator.training.table import TrainingTable

__all__ = [
    "ADRIFT",
    "MAX_MEMBERS",
    "Judge",
    "Recipe",
    "n_comparisons",
    "n_looked_at",
    "plain",
    "refine",
]

MAX_MEMBERS = 5
MOST_ROWS = 8_000  # out-of-fold rows that decisions are made from
MIN_ROWS = 100  # fewer say nothing of a threshold or a calibration
ADRIFT_BELOW = -0.5  # R2 of the best: noise is at -0.1 or so, what drifts away far below
ADRIFT = (
    "In cross-validation every model erred more on later rows than those spread, so the best was "
    "not averaged with others. The target moves away from what it was: give the past of the target "
    "(horizon), predict its change, or train on recent rows."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make the model: trials and their weights, then bend and threshold.

    ``scale`` 1, ``shift`` 0 and ``threshold`` None leave the answers alone.
    """

    members: tuple[tuple[FinishedTrial, float], ...]
    scale: float = 1.0
    shift: float = 0.0
    threshold: float | None = None
    refinements: tuple[Refinement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is one trial's pipeline as it is."""
        return len(self.members) == 1 and not self.is_bent and self.threshold is None

    @property
    def is_bent(self) -> bool:
        """Whether probabilities are changed."""
        return (self.scale, self.shift) != (1.0, 0.0)


def plain(result: StudyResult) -> Recipe:
    """Return the recipe that takes the best trial as it is."""
    return Recipe(((result.best, 1.0),))


def n_looked_at(n_rows: int) -> int:
    """Return how many of so many out-of-fold rows decisions are made from."""
    return min(n_rows, MOST_ROWS)


def n_comparisons(n_folds: int) -> int:
    """Return about how often ``refine`` computes the metric on all the rows it looks at."""
    return 120 * (n_folds + 1) + 1_000


def refine(
    result: StudyResult,
    files: AnswerFiles,
    table: TrainingTable,
    split: Split,
    *,
    shares: Callable[[Sequence[FinishedTrial]], Sequence[float]],
    seed: int,
) -> Recipe:
    """Return the recipe that out-of-fold answers speak for.

    Args:
        result: the finished search.
        files: the answers of its best trials.
        table: the table that was searched on.
        split: its folds.
        shares: told the candidates, best first; returns what part of the time left each takes
            to fit. Those of an average take all of it at most.
        seed: of resampling, and of the rows that are looked at where there are many.
    """
    rows = _looked_at(split, seed)
    candidates = _candidates(result, files, table, split, rows)
    if not candidates:
        return plain(result)
    judge = Judge(table, split, rows, seed)
    trials, answers = [trial for trial, _ in candidates], [given for _, given in candidates]
    is_adrift = _is_adrift(answers, table)
    weights, refinements = _blended(answers, judge, shares(trials), is_adrift=is_adrift)
    members = tuple((t, float(w)) for t, w in zip(trials, weights, strict=True) if w > 0)
    recipe = Recipe(members, refinements=refinements, warnings=(ADRIFT,) if is_adrift else ())
    if table.task == "regression" or sum(map(len, rows)) < MIN_ROWS:
        return recipe
    return _decided(recipe, average(answers, weights), judge)


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares answers to the same rows; ``rows`` are those looked at of each fold."""

    table: TrainingTable
    split: Split
    rows: list[NDArray[np.int64]]
    seed: int

    def gain(self, before: Answers, after: Answers, metric: Metric | None = None) -> Gain:
        """Return how much better ``after`` is, in the table's metric unless another is named."""
        groups = self.table.groups
        return gain(
            before,
            after,
            metric=metric or self.table.metric,
            groups=None
            if groups is None
            else [groups[s[r]] for (_, s), r in zip(self.split.folds, self.rows, strict=True)],
            is_ordered=self.table.times is not None,
            seed=self.seed,
        )


def _looked_at(split: Split, seed: int) -> list[NDArray[np.int64]]:
    """Return which rows of each fold are looked at: all, or a share of each, in order."""
    rng = np.random.default_rng(seed)
    sizes = [len(score) for _, score in split.folds]
    share = n_looked_at(sum(sizes)) / sum(sizes)
    if share == 1.0:
        return [np.arange(size) for size in sizes]
    return [np.sort(rng.choice(size, int(size * share), replace=False)) for size in sizes]


def _candidates(
    result: StudyResult,
    files: AnswerFiles,
    table: TrainingTable,
    split: Split,
    rows: list[NDArray[np.int64]],
) -> list[tuple[FinishedTrial, Answers]]:
    """Return the shortlist of trials with their answers, best first; none without the best."""
    truth = [table.codes[score] for _, score in split.folds]
    weights = table.weights
    beside = None if weights is None else [weights[score] for _, score in split.folds]
    found: list[tuple[FinishedTrial, Answers]] = []
    for trial in ranked(result.trials, higher_is_better=table.metric.higher_is_better):
        if any(trial.params == other.params for other, _ in found):
            continue
        answers = files.load(local(trial.params), truth, beside)
        if answers is not None:
            found.append((trial, answers.take(rows)))
        elif not found:
            return []
    return shortlist(found, lambda pair: str(pair[0].params["trainer"]))


def _blended(
    answers: list[Answers], judge: Judge, shares: Sequence[float], *, is_adrift: bool
) -> tuple[NDArray[np.float64], tuple[Refinement, ...]]:
    metric = judge.table.metric
    if len(answers) == 1 or shares[0] + min(shares[1:]) > 1:
        return np.eye(len(answers))[0], ()
    single = partial(best_alone, metric=metric)
    select = partial(select_weights, metric=metric, max_members=MAX_MEMBERS, shares=shares)
    found = judge.gain(cross_selected(answers, single), cross_selected(answers, select))
    weights = select(answers)
    has_several = bool((weights > 0).sum() > 1)
    is_used = found.is_known and not found.is_loss and not is_adrift and has_several
    notes = _notes("average", found, metric, is_used=is_used)
    return (weights if is_used else np.eye(len(answers))[0]), notes


def _is_adrift(answers: Sequence[Answers], table: TrainingTable) -> bool:
    """Whether all candidates err more on values in time order than those spread."""
    if table.task != "regression" or table.times is None or table.quantile is not None:
        return False
    return all(mean_score(each, METRICS["r2"]) < ADRIFT_BELOW for each in answers)


def _decided(recipe: Recipe, answers: Answers, judge: Judge) -> Recipe:
    recipe, answers = _calibrated(recipe, answers, judge)
    metric = judge.table.metric
    if len(judge.table.classes) != 2 or not metric.is_of_decisions:
        return recipe
    find = partial(best_threshold, metric=metric)
    found = judge.gain(answers, cross_decided(answers, find, decided))
    notes = _notes("threshold", found, metric, is_used=found.is_real)
    threshold = find(answers) if found.is_real else None
    return _with(recipe, notes, threshold=threshold)


def _calibrated(recipe: Recipe, answers: Answers, judge: Judge) -> tuple[Recipe, Answers]:
    honest = cross_decided(answers, best_bend, bent)
    found = judge.gain(answers, honest, METRICS["log_loss"])
    does_harm = not judge.gain(answers, honest).estimate >= 0
    is_used = found.is_real and not does_harm
    notes = _notes("calibration", found, METRICS["log_loss"], is_used=is_used)
    if not is_used:
        return _with(recipe, notes), answers
    scale, shift = best_bend(answers)
    return _with(recipe, notes, scale=scale, shift=shift), bent(answers, (scale, shift))


def _with(recipe: Recipe, notes: tuple[Refinement, ...], **changes: Any) -> Recipe:
    return replace(recipe, refinements=(*recipe.refinements, *notes), **changes)


def _notes(step: Any, found: Gain, metric: Metric, *, is_used: bool) -> tuple[Refinement, ...]:
    """Return what the result says of a step; nothing of a gain that is undefined."""
    if not found.is_known:
        return ()
    note = Refinement(
        step=step,
        is_used=is_used,
        metric=metric.name,
        gain=found.estimate,
        low=found.low,
        high=found.high,
    )
    return (note,)
