"""What a model must beat: the constant and, of time series, the last value and that of a season."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.training import gains, summary
from ml_orchestrator.training.baselines import Baseline, baseline_scores, baselines, strongest
from ml_orchestrator.training.intervals import Resample, resampling
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table


def prepared(frame: pl.DataFrame, **given: Any) -> tuple[TrainingTable, Split]:
    spec = TrainingSpec.model_validate({"source": "t.csv", "n_folds": 3, **given})
    table = prepare_table(spec, dataset_of(frame))
    return table, plan_split(spec, table)


def found(frame: pl.DataFrame, **given: Any) -> dict[str, Baseline]:
    table, split = prepared(frame, **given)
    return {baseline.name: baseline for baseline in baselines(table, split.train, split.test)}


def weekly(n: int = 210) -> pl.DataFrame:
    """A week that repeats, rising slowly, with a little noise."""
    rng = np.random.default_rng(0)
    week = np.tile([0.0, 4, 1, 7, 2, 9, 3], n // 7)
    return pl.DataFrame({"day": range(n), "y": week + 0.01 * np.arange(n) + rng.normal(0, 0.1, n)})


def trained(frame: pl.DataFrame, folder: Path, **given: Any) -> TrainedModel:
    spec = TrainingSpec.model_validate(
        {"source": "t.csv", "n_folds": 3, "trainers": ("linear",), "n_trials": 2, **given}
    )
    return train(spec, dataset_of(frame), study_dir=folder, report=lambda *_: None)


@pytest.mark.parametrize("horizon", [1, 3, 9])
def test_of_a_series_they_are_what_was_known_a_horizon_and_whole_seasons_before(
    horizon: int,
) -> None:
    frame = weekly()
    y, test = frame["y"].to_numpy(), np.arange(168, 210)

    of = found(frame, time_column="day", horizon=horizon)

    assert set(of) == {"mean", "last value", "season of 7 steps"}
    assert_allclose(of["mean"].given.predicted, y[:168].mean())
    assert_array_equal(of["last value"].given.predicted, y[test - horizon])
    ago = 7 if horizon <= 7 else 14
    assert_array_equal(of["season of 7 steps"].given.predicted, y[test - ago])
    assert_array_equal(of["last value"].given.truth, y[test])


def test_each_series_has_its_own_past_and_one_without_any_gets_the_constant() -> None:
    n = 40
    shops = pl.DataFrame(
        {
            "shop": ["a", "b"] * n,
            "day": np.repeat(np.arange(n), 2),
            "y": np.repeat(np.arange(n), 2) + np.tile([0.0, 1_000.0], n),
        }
    )
    new = pl.DataFrame({"shop": ["c"], "day": [n - 1], "y": [5.0]})

    of = found(pl.concat([shops, new]), time_column="day", group_column="shop")

    truth, said = of["last value"].given.truth, of["last value"].given.predicted
    assert_array_equal(said[truth != 5], truth[truth != 5] - 1)
    assert_array_equal(said[truth == 5], of["mean"].given.predicted[truth == 5])


def test_of_classes_it_is_the_last_class_and_shares_where_nothing_was_known() -> None:
    state = np.repeat([0, 1], 6)[np.arange(120) % 12]
    frame = pl.DataFrame({"day": range(120), "y": np.where(state == 1, "wet", "dry")})

    of = found(frame.with_columns(x=pl.lit(0.5) * pl.col("day")), time_column="day")

    assert set(of) == {"class shares", "last value"}
    given = of["last value"].given
    assert_array_equal(given.predicted, state[95:119])
    assert_array_equal(given.probabilities, np.eye(2)[state[95:119]])


def test_without_a_past_there_is_the_constant_alone() -> None:
    assert list(found(mixed_table())) == ["class shares"]
    assert list(found(weekly())) == ["mean"]
    assert list(found(weekly(), time_column="day", horizon=0)) == ["mean"]
    assert list(found(weekly(), quantile=0.9)) == ["quantile 0.9"]


def test_the_strongest_is_the_best_by_the_metric() -> None:
    table, split = prepared(weekly(), time_column="day")
    known = baselines(table, split.train, split.test)
    metrics = [METRICS["rmse"], METRICS["mae"]]

    by_rmse = {b.name: METRICS["rmse"].compute(b.given) for b in known}

    assert strongest(known, METRICS["rmse"]).name == "season of 7 steps"
    assert min(by_rmse, key=lambda name: by_rmse[name]) == "season of 7 steps"
    scores = baseline_scores(metrics, table, split.train, split.test)
    assert scores["rmse"] == by_rmse["season of 7 steps"]
    assert set(scores) == {"rmse", "mae"}


def test_a_model_no_better_than_the_last_value_is_told_so(tmp_path: Path) -> None:
    """Nothing predicts a random walk better than its last value; the mean is far worse."""
    walk = np.cumsum(np.random.default_rng(1).normal(size=200))
    frame = pl.DataFrame({"day": range(200), "y": walk})

    model = trained(frame, tmp_path, time_column="day", metric="rmse")
    summary = model.summary

    assert summary.strongest_baseline == "last value"
    assert set(summary.baselines) == {"mean", "last value"}
    assert summary.baseline == summary.baselines["last value"]
    assert summary.baselines["mean"]["rmse"] > summary.holdout["rmse"].high
    assert summary.baseline_gain is not None
    assert summary.baseline_gain.low <= 0
    warned = [text for text in summary.warnings if "better than the last value alone" in text]
    assert len(warned) == 1
    assert "| Baseline: mean | Baseline: last value |" in model.card
    assert "not shown to be better than the strongest baseline, last value" in model.card


def test_a_model_that_beats_all_of_them_is_shown_to_on_the_same_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    frame = weekly(294).with_columns(x=pl.Series(x[:294]), y=pl.col("y") + 3 * pl.Series(x[:294]))

    summary = trained(frame, tmp_path, time_column="day", metric="rmse").summary

    gained = (
        summary.baselines[summary.strongest_baseline]["rmse"] - summary.holdout["rmse"].estimate
    )
    assert summary.baseline_gain is not None
    assert summary.baseline_gain.estimate == pytest.approx(gained)
    assert summary.baseline_gain.low > 0
    assert not any("Not shown" in text for text in summary.warnings)


def test_the_gain_over_a_baseline_is_drawn_as_often_however_many_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n_rows, n_drawn = 100_001, 0
    truth = np.random.default_rng(0).normal(size=n_rows)

    def counting(*given: Any, **named: Any) -> Resample:
        draw = resampling(*given, **named)

        def counted(rng: np.random.Generator) -> Any:
            nonlocal n_drawn
            n_drawn += 1
            return draw(rng)

        return counted

    def off_by(shift: float) -> Predictions:
        return Predictions(truth, truth + shift, np.empty((n_rows, 0)))

    monkeypatch.setattr(gains, "resampling", counting)
    table: Any = SimpleNamespace(metric=METRICS["mae"], groups=None, times=None)
    judged: Any = SimpleNamespace(predictions=off_by(0.1))
    split: Any = SimpleNamespace(test=np.arange(n_rows))
    strong = Baseline("mean", off_by(0.2))

    found = summary._gain_over(strong, judged, table, split, seed=0)

    assert found is not None
    assert found.low == pytest.approx(0.1)
    assert n_drawn == gains.N_RESAMPLES == 200
