"""What rules make of the models of one search, and what each loses on the held-out rows.

The rule of a training is asked as a training asks it (``refine``). The others are made of the same
parts, on the same out-of-fold answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ml_orchestrator.training.ensemble import (
    Weights,
    average,
    best_alone,
    cross_selected,
    select_weights,
)
from ml_orchestrator.training.gains import Gain
from ml_orchestrator.training.job import Job
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, mean_score
from ml_orchestrator.training.refining import MAX_MEMBERS, Judge, refine
from ml_orchestrator.training.shortlist import shortlist
from ml_orchestrator.training.study import FinishedTrial, StudyResult

__all__ = ["ALONE", "BEFORE", "OURS", "RULES", "Mix", "Searched", "loss", "mixes"]

OURS = "ours: shortlist, unless shown to be worse"
ALWAYS = "shortlist, always"
LIKELY = "shortlist, estimate above 0"
SHOWN = "shortlist, shown to be better"
EIGHT = "best eight, unless shown to be worse"
FIVE = "mean of the best five, always"
FAMILIES = "mean of the best of five families, always"
ALONE = "best alone"
BEFORE = "the rule before: best eight, shown to be better"
RULES = (OURS, ALWAYS, LIKELY, SHOWN, EIGHT, FIVE, FAMILIES, ALONE, BEFORE)

Mix = Mapping[int, float]
"""The weight of each trial, by its index; together 1."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that has ended.

    ``ranked`` are its complete trials, best first, each set of parameters once. ``answers`` are
    the out-of-fold answers of all complete trials by index; ``files`` are those a training has.
    """

    job: Job
    result: StudyResult
    files: AnswerFiles
    ranked: list[FinishedTrial]
    answers: Mapping[int, Answers]


def mixes(searched: Searched) -> dict[str, Mix]:
    """Return what each rule makes of a search."""
    eight, listed = searched.ranked[:8], shortlist(searched.ranked, _family)
    best = {searched.ranked[0].index: 1.0}
    chosen, found = _selected(searched, listed)
    of_eight, found_eight = _selected(searched, eight)
    return {
        OURS: _ours(searched),
        ALWAYS: chosen,
        LIKELY: chosen if found.estimate > 0 else best,
        SHOWN: chosen if found.is_real else best,
        EIGHT: best if found_eight.is_loss else of_eight,
        FIVE: _mean(searched.ranked),
        FAMILIES: _mean(_firsts(searched.ranked)),
        ALONE: best,
        BEFORE: of_eight if _is_better_than_best(searched, eight) else best,
    }


def loss(searched: Searched, mix: Mix, held_out: Mapping[int, Answers]) -> float:
    """Return 1 - score, or an error measure, of a mix of what its trials said of held-out rows.

    A calibration that a training may add changes neither R2 nor the order that ROC AUC looks at
    nor which class is the most probable, so it does not enter.
    """
    metric = searched.job.table.metric
    mean = average([held_out[index] for index in mix], np.array(list(mix.values())))
    score = mean_score(mean, metric)
    return 1 - score if metric.higher_is_better else score


def _mean(trials: Sequence[FinishedTrial]) -> Mix:
    """Return the plain mean of the first five."""
    five = trials[:MAX_MEMBERS]
    return {trial.index: 1 / len(five) for trial in five}


def _firsts(ranked: Sequence[FinishedTrial]) -> list[FinishedTrial]:
    """Return the best of each family, best first."""
    first: dict[str, FinishedTrial] = {}
    for trial in ranked:
        first.setdefault(_family(trial), trial)
    return list(first.values())


def _ours(searched: Searched) -> Mix:
    job = searched.job
    recipe = refine(
        searched.result,
        searched.files,
        job.table,
        job.split,
        shares=lambda trials: [0.0] * len(trials),  # as where trials, not time, end a search
        seed=job.spec.seed,
    )
    return {trial.index: weight for trial, weight in recipe.members}


def _selected(searched: Searched, trials: Sequence[FinishedTrial]) -> tuple[Mix, Gain]:
    """Return the greedy average of some trials, and its gain over the best alone, both honest."""
    answers = [searched.answers[trial.index] for trial in trials]
    single = partial(best_alone, metric=searched.job.table.metric)
    select = _select(searched)
    found = _gain(searched, cross_selected(answers, single), cross_selected(answers, select))
    weights = zip(trials, select(answers), strict=True)
    return {trial.index: float(weight) for trial, weight in weights if weight > 0}, found


def _is_better_than_best(searched: Searched, trials: Sequence[FinishedTrial]) -> bool:
    """Return whether an average is shown to be better, the best judged on what chose it."""
    answers = [searched.answers[trial.index] for trial in trials]
    return _gain(searched, answers[0], cross_selected(answers, _select(searched))).is_real


def _select(searched: Searched) -> Callable[[Sequence[Answers]], Weights]:
    return partial(select_weights, metric=searched.job.table.metric, max_members=MAX_MEMBERS)


def _gain(searched: Searched, before: Answers, after: Answers) -> Gain:
    job = searched.job
    every = [np.arange(len(rows)) for _, rows in job.split.folds]
    return Judge(job.table, job.split, every, job.spec.seed).gain(before, after)


def _family(trial: FinishedTrial) -> str:
    return str(trial.params["trainer"])
