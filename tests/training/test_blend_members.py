"""Which of a search's trials are averaged: of different families, if that is no worse."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.training.families import full
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles, Timing
from ml_orchestrator.training.refining import ADRIFT, Recipe, refine
from ml_orchestrator.training.shortlist import shortlist
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.study import FinishedTrial, StudyResult
from ml_orchestrator.training.table import TrainingTable, prepare_table

N_ROWS = 500


class Searched:
    """A search whose trials answer as they are told, with what is decided from it."""

    def __init__(self, folder: Path, **given: object) -> None:
        rng = np.random.default_rng(0)
        frame = pl.DataFrame({"x": rng.normal(size=N_ROWS), "y": rng.normal(size=N_ROWS)})
        frame = frame.with_row_index("t")
        spec = TrainingSpec(source="t.csv", target="y", metric="rmse", n_folds=4, **given)
        self.table: TrainingTable = prepare_table(spec, dataset_of(frame))
        self.split: Split = plan_split(spec, self.table)
        self.files = AnswerFiles(folder, higher_is_better=False)
        self.trials: list[FinishedTrial] = []

    def add(self, family: str, errors: np.ndarray) -> None:
        """Add a trial that errs by so much on each row."""
        folds = []
        for _, rows in self.split.folds:
            truth = self.table.codes[rows]
            folds.append(Predictions(truth, truth + errors[rows], np.empty((len(rows), 0))))
        scores = tuple(self.table.metric.compute(fold) for fold in folds)
        params: Params = {"trainer": family, "number": len(self.trials)}
        self.files.keep(params, folds, score=float(np.mean(scores)), timing=Timing(1.0, 0.0))
        known = full(family, {"number": len(self.trials)})
        self.trials.append(FinishedTrial(len(self.trials), "complete", known, scores, 1.0, ""))

    def refined(self, *shares: float) -> Recipe:
        """Decide; ``shares`` are of the time, of the trials as they were added."""

        def told(trials: Sequence[FinishedTrial]) -> list[float]:
            return [shares[trial.index] if shares else 0.0 for trial in trials]

        best = min(self.trials, key=lambda trial: trial.mean_score)
        result = StudyResult(tuple(self.trials), best, "trials")
        return refine(result, self.files, self.table, self.split, shares=told, seed=0)


@pytest.fixture
def searched(tmp_path: Path) -> Searched:
    return Searched(tmp_path)


def noise(seed: int, size: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, N_ROWS)


def families(recipe: Recipe) -> list[str]:
    return [str(trial.params["trainer"]) for trial, _ in recipe.members]


def test_a_family_behind_many_good_trials_of_another_is_averaged_with_it(
    searched: Searched,
) -> None:
    own, other = noise(1, 1.0), noise(2, 1.1)
    for number in range(14):
        searched.add("forest", own + noise(10 + number, 0.01))
    searched.add("linear", other)

    recipe = searched.refined()

    assert set(families(recipe)) == {"forest", "linear"}
    (note,) = recipe.refinements
    assert (note.step, note.is_used) == ("average", True)
    # The least squares that any weights leave, on the rows that were searched on.
    errors = np.stack([own, other])[:, searched.split.train]
    least = 1 / np.linalg.inv(errors @ errors.T / errors.shape[1]).sum()
    assert note.gain == pytest.approx(errors[0].std() - np.sqrt(least), abs=0.02)


def test_a_far_worse_family_gets_no_weight(searched: Searched) -> None:
    searched.add("forest", noise(1, 1.0))
    searched.add("linear", noise(2, 1.0))
    searched.add("naive_bayes", noise(3, 30.0))

    assert set(families(searched.refined())) == {"forest", "linear"}


def test_an_average_that_cross_fitting_finds_no_better_is_not_used(searched: Searched) -> None:
    """One family is the better on one half of the folds, the other on the other half."""
    first, own = np.zeros(N_ROWS, dtype=bool), noise(1, 1.0)
    for _, rows in searched.split.folds[:2]:
        first[rows] = True
    searched.add("forest", own * np.where(first, 0.999, 1.0))
    searched.add("linear", own * np.where(first, 1.0, 0.9991))

    recipe = searched.refined()

    assert families(recipe) == ["forest"]
    assert [(note.is_used, note.gain <= 0) for note in recipe.refinements] == [(False, True)]


@pytest.mark.parametrize(
    ("given", "error", "is_averaged"),
    [({}, 3.0, True), ({"time_column": "t"}, 3.0, False), ({"time_column": "t"}, 0.5, True)],
)
def test_errors_that_run_off_in_time_are_not_averaged_away(
    tmp_path: Path, given: dict[str, str], error: float, is_averaged: bool
) -> None:
    """One runs off to above and one to below, by more or less than the outcome's own spread."""
    searched = Searched(tmp_path, **given)
    searched.add("forest", error + noise(1, 0.1))
    searched.add("linear", -error - 0.1 + noise(2, 0.1))

    recipe = searched.refined()

    (note,) = recipe.refinements
    assert note.gain > error / 2
    assert note.is_used == is_averaged
    assert (len(recipe.members) > 1) == is_averaged
    assert (ADRIFT in recipe.warnings) == (not is_averaged)


def test_an_average_whose_gain_is_undefined_is_not_used(searched: Searched) -> None:
    """Every resample repeats rows, on which this metric is undefined."""
    rmse = METRICS["rmse"]

    def without_repeats(given: Predictions) -> float:
        return rmse.compute(given) if len(set(given.truth)) == len(given.truth) else np.nan

    searched.add("forest", noise(1, 1.0))
    searched.add("linear", noise(2, 1.0))
    assert len(searched.refined().members) == 2

    searched.table = replace(searched.table, metric=replace(rmse, compute=without_repeats))
    recipe = searched.refined()

    assert recipe.is_plain
    assert recipe.refinements == ()


def test_members_take_no_more_time_together_than_there_is(searched: Searched) -> None:
    for number, family in enumerate(("forest", "linear", "naive_bayes")):
        searched.add(family, noise(number, 1.0 + number / 10))

    assert len(searched.refined().members) == 3
    assert families(searched.refined(0.5, 0.6, 0.4)) == ["forest", "naive_bayes"]
    for shares in ((0.7, 0.4, 0.5), (1.5, 0.0, 0.0)):  # the best is fitted even if it is late
        alone = searched.refined(*shares)
        assert families(alone) == ["forest"]
        assert alone.refinements == ()


def test_the_shortlist_has_two_of_each_family_then_the_best_others_and_twelve_in_all() -> None:
    many = [f"{family}{number}" for number in range(3) for family in "abcdefgh"]
    few = [*(f"a{number}" for number in range(20)), "b0", "b1", "b2"]

    assert shortlist(many, lambda name: name[0]) == many[:12]
    assert shortlist(few, lambda name: name[0]) == [*few[:10], "b0", "b1"]


def test_what_leaves_the_shortlist_never_comes_back() -> None:
    """So the answers of what is left out may be forgotten."""
    rng = np.random.default_rng(0)
    for n_families in (1, 3, 6, 9):
        known: list[tuple[float, int]] = []
        kept: list[tuple[float, int]] = []
        for _ in range(80):
            model = (float(rng.normal()), int(rng.integers(n_families)))
            known, kept = sorted([*known, model]), sorted([*kept, model])
            kept = shortlist(kept, lambda model: str(model[1]))
            assert kept == shortlist(known, lambda model: str(model[1]))
