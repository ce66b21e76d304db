"""Several objectives: the front, the choice by knee or limit, and what of it is told."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.image import imread
from tests.training.tables import dataset_of

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.costs import Cost, costs_asked
from ml_orchestrator.training.front import choose, front_of, layers
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import FinishedTrial, Objective, StudyPlan

SIZE = Cost("size")


def trial(score: float, *costs: float, index: int = 0) -> FinishedTrial:
    return FinishedTrial(index, "complete", {}, (score,), 1.0, "", costs)


def bends(n_rows: int = 300) -> pl.DataFrame:
    """A target that a line finds half of, and trees most of."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n_rows, 4))
    y = 2 * x[:, 0] + np.where(np.abs(x[:, 1]) > 0.5, 2.0, 0.0) + rng.normal(0, 0.3, n_rows)
    return pl.DataFrame(x, schema=list("abcd")).with_columns(y=pl.Series(y))


def trained(folder: Path, *objectives: str, **given: Any) -> TrainedModel:
    values = {"trainers": ("linear", "extra_trees"), "n_trials": 8, "n_folds": 3, **given}
    spec = TrainingSpec.model_validate(
        {"source": "t.csv", "objectives": objectives, "metric": "rmse", **values}
    )
    return train(spec, dataset_of(bends()), study_dir=folder, report=lambda *_: None)


def test_the_front_is_what_nothing_beats() -> None:
    trials = [
        trial(*values) for values in [(1, 9), (2, 5), (2, 5), (3, 5), (4, 1), (5, 1), (1, 10)]
    ]
    spoilt = FinishedTrial(9, "failed", {}, (), 1.0, "no", ())

    front = front_of([*trials, spoilt], higher_is_better=False)

    assert front == (trials[0], trials[1], trials[4])
    values = np.array([[t.mean_score, *t.costs] for t in trials])
    assert layers(values).tolist() == [0, 0, 0, 1, 0, 1, 1]


def test_a_limit_takes_the_best_within_it_and_else_the_nearest() -> None:
    front = [trial(0.9, 1e-3, 900), trial(0.8, 1e-4, 500), trial(0.5, 1e-5, 100)]

    def taken(*texts: str) -> tuple[FinishedTrial, str]:
        return choose(front, costs_asked(texts), metric="r2", higher_is_better=True)

    assert taken("latency<=2e-4", "size") == (
        front[1], "The best r2 with latency <= 0.0002 s a row.",
    )  # fmt: skip
    assert taken("latency<=1", "size<=200")[0] is front[2]
    best, rule = taken("latency", "size<=10")
    assert best is front[2]
    assert rule.startswith("No model has size <= 10 bytes; the one that exceeds it least")


def test_the_knee_is_near_the_best_of_each() -> None:
    front = [trial(1.00, 10_000), trial(1.02, 100), trial(3.0, 10)]

    best, rule = choose(front, [SIZE], metric="rmse", higher_is_better=False)

    assert best is front[1]
    assert rule.startswith("The knee of 3 models")
    assert choose(front[:1], [SIZE], metric="rmse", higher_is_better=False)[0] is front[0]


@pytest.mark.parametrize(
    "texts",
    [["speed"], ["latency<=0"], ["size<=1.2.3"], ["quality<=1"], ["size", "size<=3"], ["size>3"]],
)
def test_an_objective_that_cannot_be_read_is_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidInputError, match=r"objective|Objective"):
        costs_asked(texts)
    assert costs_asked(["quality", " latency <= 1e-4 "]) == (Cost("latency", 1e-4),)


def test_quality_and_size_give_a_front_that_is_told(tmp_path: Path) -> None:
    model = trained(tmp_path, "quality", "size", "latency")
    summary = model.summary

    scores = [point.cv_score for point in summary.front]
    assert scores == sorted(scores)
    assert {point.trainer for point in summary.front} == {"linear", "extra_trees"}
    (taken,) = (point for point in summary.front if point.is_chosen)
    assert (taken.trainer, taken.params) == (summary.trainer, summary.params)
    assert summary.cv_score == taken.cv_score
    assert len(summary.members) == 1
    assert set(summary.costs) == {"size", "latency"}
    assert all(p.size_bytes and p.latency_row_s for p in summary.front)
    assert summary.choice.startswith("The knee of ")
    assert summary.choice in model.card
    assert imread(io.BytesIO(model.plots["front"])).shape[1] > 1_000  # two pictures in one


def test_a_limit_of_size_is_kept_and_the_same_seed_gives_the_same(tmp_path: Path) -> None:
    one, other = (trained(tmp_path / name, "size<=200000").summary for name in "ab")

    assert one.costs["size"] <= 200_000
    assert one.choice == "The best rmse with size <= 200000 bytes."
    assert one.trainer == "linear"
    assert one.front == other.front
    tiny = trained(tmp_path / "c", "size<=100", n_trials=2).summary
    assert any("more than the 100 asked for" in warning for warning in tiny.warnings)


def test_a_search_of_several_objectives_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "size").summary
    trained(tmp_path / "parts", "size", n_trials=3)
    resumed = trained(tmp_path / "parts", "size").summary

    assert resumed.front == whole.front


def test_a_sampler_of_one_objective_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="takes one objective; use tpe, nsga2 or random"):
        trained(tmp_path, "size", sampler="cmaes")
    with pytest.raises(InvalidInputError, match="'nsga2' weighs several objectives; name some"):
        trained(tmp_path, "quality", sampler="nsga2")


def test_generations_of_both_objectives_come_nearer_to_the_front(tmp_path: Path) -> None:
    """Both losses fall with x to 0 and are least between 0.2 and 0.4 of y: the front is there."""

    def suggest(space: ParamSpace) -> Params:
        return {name: space.real(name, 0, 1) for name in "xyz"}

    def losses(params: Params) -> tuple[float, float]:
        x, y, z = (float(params[name]) for name in "xyz")
        return x + z + abs(y - 0.2), x + z + abs(y - 0.4)

    def evaluate(params: Params) -> Iterator[float]:
        yield losses(params)[0]

    objective = Objective(suggest, evaluate, costs=lambda params: losses(params)[1:])

    def run(folder: Path, n_trials: int) -> list[FinishedTrial]:
        plan = StudyPlan(
            folder, "front", False, n_trials, 1e6, seed=0, sampler="nsga2", n_costs=1,
            first=[{"x": 0.5, "y": 0.5, "z": 0.5}],
        )  # fmt: skip
        return list(run_study(plan, objective, on_progress=lambda _: None).trials)

    trials = run(tmp_path / "whole", 80)

    sums = [trial.mean_score + trial.costs[0] for trial in trials]
    assert np.mean(sums[-20:]) < 0.75 * np.mean(sums[1:9])  # these are drawn at random
    run(tmp_path / "parts", 21)  # in the midst of a generation
    resumed = run(tmp_path / "parts", 80)
    assert [(t.params, t.scores) for t in resumed] == [(t.params, t.scores) for t in trials]


def test_without_objectives_nothing_is_measured(tmp_path: Path) -> None:
    model = trained(tmp_path, "quality", n_trials=2)

    assert (model.summary.front, model.summary.costs, model.summary.choice) == ((), {}, "")
    assert "front" not in model.plots
