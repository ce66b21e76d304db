"""Rows that count for more, and other answers than the mean."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.baselines import baselines
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.metrics import METRICS, Predictions, pinball_loss
from ml_orchestrator.training.model_parts import takes_weights
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.preprocessing import FeatureOptions, build_pipeline
from ml_orchestrator.training.search import train
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS, Problem

NUMBERS = Problem("regression")
UPPER = Problem("regression", quantile=0.9)


def two_sources(n_rows: int = 600) -> pl.DataFrame:
    """Every other row says that ``y`` falls with ``x`` where the rest says it rises."""
    rng = np.random.default_rng(0)
    x, is_wrong = rng.normal(size=n_rows), np.arange(n_rows) % 2 == 1
    y = np.where(is_wrong, -x, x) * 3 + rng.normal(0, 0.3, n_rows)
    return pl.DataFrame({"x": x, "w": np.where(is_wrong, 0.01, 5.0), "y": y})


def table_of(frame: pl.DataFrame, **given: Any) -> TrainingTable:
    return prepare_table(TrainingSpec(source="t.csv", **given), dataset_of(frame))


def fitted(trainer: str, table: TrainingTable, rows: Any) -> Any:
    entry = TRAINERS[trainer]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    return fit(build_pipeline(table.kinds, entry.needs, estimator), table, rows)


@pytest.mark.parametrize(
    "trainer", [name for name, e in TRAINERS.items() if e.fits(NUMBERS) and name != "nearest"]
)
def test_what_counts_for_more_is_learnt(trainer: str) -> None:
    frame = two_sources()
    table = table_of(frame, weight_column="w")
    assert table.kinds.names == ("x",)

    model = fitted(trainer, table, np.arange(400))

    late = frame[400:].to_pandas()
    assert np.corrcoef(model.predict(late), late["x"])[0, 1] > 0.8


@pytest.mark.parametrize("past", ["none", "values", "change"])
@pytest.mark.parametrize(
    "trainer", [name for name, e in TRAINERS.items() if e.fits(NUMBERS) and name != "nearest"]
)
def test_weights_count_whatever_is_looked_back_at(trainer: str, past: Any) -> None:
    frame = two_sources(200).with_columns(t=pl.int_range(200))
    entry, answers = TRAINERS[trainer], []
    for weight in ("w", None):
        data = frame if weight else frame.drop("w")
        table = table_of(data, time_column="t", weight_column=weight)
        estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
        options = FeatureOptions(past=past)
        pipeline = build_pipeline(table.kinds, entry.needs, estimator, options)
        model = fit(pipeline, table, np.arange(160))
        answers.append(model.predict(table.features.tail(40)))

    assert not np.allclose(*answers)


def mostly_wrong(n_rows: int = 1_500) -> pl.DataFrame:
    """Half of the rows hardly count, and say the opposite of the others."""
    rng = np.random.default_rng(0)
    x, is_wrong = rng.normal(size=(n_rows, 3)), rng.random(n_rows) < 0.5
    effect = 3 * x[:, 0] + 2 * np.sin(2 * x[:, 1])
    y = np.where(is_wrong, -effect, effect) + rng.normal(0, 0.2, n_rows)
    columns = {name: x[:, place] for place, name in enumerate("abc")}
    return pl.DataFrame({**columns, "w": np.where(is_wrong, 0.001, 1.0), "y": y})


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_search_chooses_and_judges_by_rows_as_much_as_they_count(
    tmp_path: Path, task: Any
) -> None:
    frame = mostly_wrong()
    if task == "classification":
        frame = frame.with_columns(y=(pl.col("y") > 0).cast(pl.String))
    spec = TrainingSpec(
        source="t.csv", weight_column="w", task=task, n_trials=11, n_folds=3, timeout_s=600
    )
    job = prepare(spec, dataset_of(frame))

    made = train(spec, dataset_of(frame), study_dir=tmp_path, report=lambda *_: None)

    # Rows that count alike cannot be told: R2 near 0, an area near one half.
    summary, rows = made.summary, job.split.test
    features = job.table.features.iloc[rows]
    counting = rows[job.table.weights[rows] == 1.0]  # type: ignore[index]
    true_to = predict(made.pipeline, job.table.features.iloc[counting], job.table, counting)
    assert job.table.metric.compute(true_to) > 0.95
    assert summary.cv_score > 0.95
    found = job.table.metric.compute(predict(made.pipeline, features, job.table, rows))
    assert summary.holdout[summary.metric].estimate == pytest.approx(found, rel=1e-12)
    assert summary.holdout[summary.metric].low > 0.95
    assert "nearest" not in {summary.trainer, *(member.trainer for member in summary.members)}


def test_families_that_cannot_weigh_rows_take_part_if_they_are_named() -> None:
    frame = two_sources()
    said = (
        "nearest was left out: it learns from all rows alike, whatever their weight; to have it "
        "tried, name it in trainers."
    )
    named = ("linear", "nearest")

    left, asked, alike = (
        prepare(TrainingSpec(source="t.csv", **given), dataset_of(frame))
        for given in ({"weight_column": "w"}, {"weight_column": "w", "trainers": named}, {})
    )

    assert said in left.warnings
    assert "nearest" not in left.trainers
    assert asked.trainers == named
    assert "nearest" in alike.trainers
    assert said not in (*asked.warnings, *alike.warnings)


@pytest.mark.parametrize("trainer", list(TRAINERS))
@pytest.mark.parametrize("problem", [NUMBERS, UPPER, Problem("classification", n_classes=2)])
def test_families_say_rightly_whether_they_weigh_rows(trainer: str, problem: Problem) -> None:
    entry = TRAINERS[trainer]
    if not entry.fits(problem):
        return
    model = entry.build(problem, entry.first_params, seed=0, n_jobs=None)

    assert takes_weights(model) == entry.needs.weighs_rows


@pytest.mark.parametrize("quantile", [None, 0.5])
def test_a_constant_to_beat_is_that_of_the_weighted_rows(quantile: float | None) -> None:
    frame = pl.DataFrame({"x": range(40), "y": [0.0, 10.0] * 20, "w": [3.0, 1.0] * 20})
    table = table_of(frame, task="regression", weight_column="w", quantile=quantile)

    (constant,) = baselines(table, np.arange(20), np.arange(20, 40))

    assert set(constant.given.predicted) == {2.5 if quantile is None else 0.0}
    assert constant.given.weights is not None
    assert METRICS["mae"].compute(constant.given) == (3.75 if quantile is None else 2.5)


def test_equal_weights_change_nothing_that_is_searched(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=300)}).with_columns(
        y=(pl.col("x") + pl.Series(rng.normal(size=300)) > 0).cast(pl.String)
    )
    given: dict[str, Any] = {
        "source": "t.csv", "target": "y", "metric": "accuracy", "trainers": ("linear",),
        "n_trials": 3, "n_folds": 3,
    }  # fmt: skip

    alike, weighed = (
        train(
            TrainingSpec(**given, weight_column=column),
            dataset_of(frame if column is None else frame.with_columns(w=pl.lit(0.5))),
            study_dir=tmp_path / str(column),
            report=lambda *_: None,
        ).summary
        for column in (None, "w")
    )

    assert weighed.cv_score == pytest.approx(alike.cv_score, rel=1e-9)
    assert weighed.holdout["roc_auc"].low == pytest.approx(alike.holdout["roc_auc"].low, rel=1e-9)
    assert [step.step for step in weighed.refinements] == [step.step for step in alike.refinements]


def test_the_unit_of_weights_does_not_matter() -> None:
    frame = two_sources()
    rows = np.arange(400)
    one, other = (
        fitted("linear", table_of(data, weight_column="w"), rows).predict(frame.to_pandas())
        for data in (frame, frame.with_columns(pl.col("w") * 1_000))
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(
    ("frame", "given", "said"),
    [
        (two_sources().with_columns(w=pl.lit(0.0)), {"weight_column": "w"}, "600 weights in 'w'"),
        (two_sources().with_columns(w=pl.lit("a")), {"weight_column": "w"}, "no number"),
        (two_sources(), {"weight_column": "v"}, "to use as weight column"),
        (two_sources(), {"weight_column": "y", "target": "y"}, "cannot be the target and"),
        (mixed_table(), {"quantile": 0.5}, "not a number"),
        (two_sources(), {"quantile": 0.5, "metric": "r2"}, "judged by pinball_loss"),
    ],
)
def test_weights_and_quantiles_that_make_no_sense_are_refused(
    frame: pl.DataFrame, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        table_of(frame, **given)


def test_a_weight_is_refused_with_its_row_in_the_source() -> None:
    row = pl.int_range(pl.len())
    frame = two_sources().with_columns(
        w=pl.when(row == 20).then(-1.0).otherwise("w"), y=pl.when(row >= 5).then("y")
    )
    with pytest.raises(InvalidInputError, match="first -1 in row 21"):
        table_of(frame, weight_column="w")


def test_rows_without_a_weight_are_left_out() -> None:
    frame = two_sources().with_columns(w=pl.when(pl.col("x") > 0).then("w"))
    assert len(table_of(frame, weight_column="w").codes) == (frame["x"] > 0).sum()


def test_families_that_would_take_minutes_are_left_out_of_large_tables() -> None:
    many = {"linear": Problem("regression", quantile=0.5, n_rows=5_001),
            "nearest": Problem("regression", n_rows=20_001)}  # fmt: skip
    for name, problem in many.items():
        assert not TRAINERS[name].fits(problem)
        assert TRAINERS[name].fits(replace(problem, n_rows=problem.n_rows - 1))
    assert table_of(two_sources()).problem.n_rows == 600


def test_a_family_that_is_left_out_for_the_rows_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_orchestrator.training.trainers.nearest.MOST_ROWS", 500)
    spec = TrainingSpec(
        source="t.csv", trainers=("linear", "naive_bayes", "nearest"), n_trials=1, n_folds=2
    )
    sentence = "nearest was left out: 501 rows are more than it takes."
    for n_rows, expected in [(501, [sentence]), (500, [])]:
        summary = train(
            spec,
            dataset_of(two_sources(n_rows)),
            study_dir=tmp_path / str(n_rows),
            report=lambda *_: None,
        ).summary

        assert [said for said in summary.warnings if "was left out" in said] == expected


def test_the_loss_is_least_at_the_quantile() -> None:
    truth = np.arange(101.0)
    losses = [
        pinball_loss(0.9).compute(Predictions(truth, np.full(101, value), np.empty((101, 0))))
        for value in truth
    ]
    assert np.argmin(losses) == 90
    # At 0 each of 0 to 100 lacks all of itself, which costs nine tenths of it.
    assert losses[0] == pytest.approx(0.9 * 50)


@pytest.mark.parametrize("trainer", [n for n, e in TRAINERS.items() if e.fits(UPPER)])
def test_nine_in_ten_later_values_lie_below_the_upper_quantile(trainer: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 1_200)
    y = 2 * x + (1 + 0.5 * x) * rng.normal(size=1_200)
    frame = pl.DataFrame({"x": x, "y": y})

    model = fitted(trainer, table_of(frame, quantile=0.9), np.arange(600))

    late = frame[600:]
    below = float(np.mean(late["y"].to_numpy() <= model.predict(late.to_pandas())))
    # Standard error of the share: 0.012; a model of 600 rows is a little off besides.
    assert below == pytest.approx(0.9, abs=0.05)


def test_a_quantile_is_searched_and_judged_by_its_own_loss(tmp_path: Path) -> None:
    frame = two_sources().filter(pl.col("w") > 1).drop("w")
    spec = TrainingSpec(source="t.csv", quantile=0.8, n_trials=3, n_folds=3)

    summary = train(spec, dataset_of(frame), study_dir=tmp_path, report=lambda *_: None).summary

    assert (summary.task, summary.metric, summary.higher_is_better) == (
        "regression", "pinball_loss", False,
    )  # fmt: skip
    assert summary.holdout["pinball_loss"].high < summary.baseline["pinball_loss"]
