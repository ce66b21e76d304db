"""Lags and windows: what they are, that they never look ahead, and that they pay where they can."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tests.training.tables import dataset_of

from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps._trained import load_trained
from ml_orchestrator.orchestration.steps.register import register
from ml_orchestrator.orchestration.steps.search import search
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.serving.engine import Request, ask
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.threaded import Answering
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.past import PastValues
from ml_orchestrator.training.preprocessing import FeatureOptions, build_pipeline
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

DAY = np.timedelta64(1, "D")


def days(n: int, first: str = "2024-01-01") -> Any:
    return np.datetime64(first, "us") + np.arange(n) * DAY


def second_order(n: int, seed: int = 0) -> pl.DataFrame:
    """``y = 1.2 y[-1] - 0.5 y[-2] + e`` of unit noise: no forecast of one step is nearer than 1."""
    rng = np.random.default_rng(seed)
    y = np.zeros(n + 50)
    for t in range(2, n + 50):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + rng.normal()
    return pl.DataFrame({"day": days(n), "y": y[50:]})


def trained(frame: pl.DataFrame, folder: Path, **given: Any) -> TrainedModel:
    spec = TrainingSpec.model_validate(
        {"source": "t.csv", "time_column": "day", "n_folds": 3, "trainers": ("linear",), **given}
    )
    return train(spec, dataset_of(frame), study_dir=folder, report=lambda *_: None)


def fitted(table: TrainingTable, trainer: str, **options: Any) -> Any:
    entry = TRAINERS[trainer]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    chosen = FeatureOptions(**options)
    rows = np.arange(len(table.codes) - 20)
    return fit(build_pipeline(table.kinds, entry.needs, estimator, chosen), table, rows)


def test_what_was_before_a_row_is_what_it_says() -> None:
    frame = pd.DataFrame({"t": [1, 2, 3, 4, 7, 8], "y": [10.0, 20, 30, 40, 70, 80], "x": range(6)})

    past = PastValues(time="t", target="y").fit(frame)
    found = pd.DataFrame(past.transform(frame), columns=past.get_feature_names_out())

    nan = float("nan")
    assert_array_equal(found["y_lag_1"], [nan, 10, 20, 30, nan, 70])  # 5 and 6 are missing
    assert_array_equal(found["y_lag_4"], [nan, nan, nan, nan, 30, 40])
    assert_allclose(found["y_mean_of_4"], [nan, 10, 15, 20, 35, 55])
    assert_allclose(found["y_max_of_4"], [nan, 10, 20, 30, 40, 70])
    assert_array_equal(found["x_past_1"], [nan, 0, 1, 2, nan, 4])
    level = PastValues(time="t", target="y", gives="level", horizon=2).fit(frame)
    assert_array_equal(level.transform(frame)[:, 0], [nan, nan, 10, 20, 40, 40])
    dense = pd.DataFrame({"t": [9, 9.3, 9.6, 10.6], "y": [90.0, 93, 96, None], "x": range(4)})
    assert_array_equal(past.transform(dense)[:, 0], [80, 80, 80, 96])  # not what came 0.3 before


def test_nothing_newer_than_the_horizon_is_used_where_gaps_are_short_for_long() -> None:
    gaps = np.where((np.arange(200) >= 100) & (np.arange(200) < 155), 0.55, 1.0)
    times = np.cumsum(gaps)
    frame = pd.DataFrame({"t": times, "y": times, "x": times})

    level = PastValues(time="t", target="y", horizon=10, gives="level").fit(frame)
    past = PastValues(time="t", target="y", horizon=10).fit(frame)

    ages = times - level.transform(frame)[:, 0]
    assert np.nanmin(ages) >= 9.5 - 1e-9
    assert np.isnan(ages).sum() == 10  # only at the start is nothing that old
    assert np.nanmax(ages) < 11
    names = list(past.get_feature_names_out())
    newest = [names.index(name) for name in ("y_lag_10", "y_max_of_4", "x_past_1")]
    assert np.nanmin(times[:, None] - past.transform(frame)[:, newest]) >= 9.5 - 1e-9


def test_rows_sent_together_go_on_where_training_ended() -> None:
    frame = pd.DataFrame({"t": days(30), "y": np.arange(30.0)})
    past = PastValues(time="t", target="y", horizon=2).fit(frame)
    new = pd.DataFrame(
        {
            "t": ["2024-01-31", "2024-02-02", "2024-02-01", "2025-01-01", None],
            "y": [100.0, None, None, None, None],
        }
    )

    lags = past.transform(new)[:, 0]
    alone = [past.transform(new.iloc[[row]])[0, 0] for row in range(4)]

    assert_array_equal(lags, [28, 100, 29, np.nan, np.nan])
    assert_array_equal(alone, [28, np.nan, 29, np.nan])
    past.remember(new.head(1))
    assert past.transform(new.iloc[[1]])[0, 0] == 100


def test_series_do_not_look_at_one_another() -> None:
    frame = pd.DataFrame({"s": ["a", "b"] * 20, "t": np.repeat(days(20), 2), "y": np.arange(40.0)})
    past = PastValues(time="t", target="y", series="s").fit(frame)

    lags = past.transform(frame)[:, 0]
    new = pd.DataFrame({"s": ["b", "a", "new", None], "t": ["2024-01-21"] * 4, "y": [None] * 4})

    assert_array_equal(lags[2:], np.arange(38.0))
    assert_array_equal(past.transform(new)[:, 0], [39, 38, np.nan, np.nan])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    horizon=st.integers(1, 5),
    cut=st.integers(5, 55),
    is_relative=st.booleans(),
)
def test_what_comes_later_never_changes_what_was_before(
    seed: int, horizon: int, cut: int, is_relative: bool
) -> None:
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.integers(1, 3, 60))
    frame = pd.DataFrame(
        {
            "s": rng.choice(["a", "b"], 60),
            "t": steps,
            "y": rng.normal(size=60),
            "x": rng.normal(size=60),
        }
    )
    frame.loc[rng.random(60) < 0.1, "y"] = np.nan
    spoiled = frame.copy()
    # Steps are one unit of time or longer, so nothing spoiled is known before `horizon` units are
    # over. Changes hold a row's own columns, which it may use.
    last = int(np.flatnonzero(steps < steps[cut] + horizon)[-1])
    later = spoiled.index > (last if is_relative else cut)
    spoiled.loc[spoiled.index >= cut, "y"] = rng.normal(1e6, size=60 - cut)
    spoiled.loc[later, "x"] = rng.normal(1e6, size=later.sum())
    past = PastValues(
        time="t", target="y", series="s", horizon=horizon, is_relative=is_relative
    ).fit(frame.head(20))

    before, after = (past.transform(data)[: last + 1] for data in (frame, spoiled))

    assert_array_equal(before, after)


@pytest.mark.parametrize("past", ["none", "values"])
def test_what_is_not_yet_known_teaches_nothing_and_is_looked_back_at(past: str) -> None:
    """The targets of the last two of 80 rows, when three steps ahead are predicted."""
    series = second_order(100)
    answers = []
    for first_changed in (80, 78, 77):
        changed = pl.int_range(100).is_between(first_changed, 79)
        frame = series.with_columns(y=pl.when(changed).then(50.0).otherwise("y"))
        table = prepare_table(
            TrainingSpec(source="t.csv", time_column="day", horizon=3), dataset_of(frame)
        )
        answers.append(fitted(table, "linear", past=past).predict(table.features.tail(20)))
    as_it_was, unknown, known = answers

    assert as_it_was[0] == unknown[0] != known[0]
    assert np.array_equal(as_it_was, unknown) == (past == "none")


def test_a_series_is_followed_as_closely_as_anything_can(tmp_path: Path) -> None:
    frame = second_order(700).with_columns(day=pl.int_range(700))
    model = trained(frame, tmp_path / "past", metric="rmse", n_trials=6)
    without = trained(frame, tmp_path / "none", metric="rmse", n_trials=6, horizon=0)

    assert model.summary.params["past"] in ("values", "change")
    y = frame["y"].to_numpy()
    of_truth = (y[2:] - 1.2 * y[1:-1] + 0.5 * y[:-2])[-140:]
    best = float(np.sqrt(np.mean(of_truth**2)))  # what the truth itself reaches on these rows
    assert best < model.summary.holdout["rmse"].estimate < 1.1 * best
    assert without.summary.holdout["rmse"].low > model.summary.holdout["rmse"].high
    assert model.summary.features == ("day", "y")
    assert without.summary.features == ("day",)
    assert "It looks back at y" in model.card or "the change of y" in model.card
    assert list(without.input_example.columns) == ["day"]
    held_out = frame.tail(140).to_pandas()
    errors = model.pipeline.predict(held_out) - held_out["y"].to_numpy()
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(model.summary.holdout["rmse"].estimate)
    # The step after the last of all rows, with nothing known but what the model remembers.
    tomorrow = model.pipeline.predict(pd.DataFrame({"day": [700], "y": [None]}))
    assert tomorrow[0] == pytest.approx(1.2 * y[-1] - 0.5 * y[-2], abs=0.35)


@pytest.mark.parametrize("walks", [False, True])
def test_where_the_past_says_nothing_the_held_out_interval_promises_nothing(
    walks: bool, tmp_path: Path
) -> None:
    """White noise, and the increments of a random walk with the walk beside them.

    Of noise the interval covers chance. Lines through a walk go wrong beyond what they have seen,
    so that model may truly be worse than chance; better it is not.
    """
    n_covered, n_above = 0, 0
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=300)
        frame = pl.DataFrame({"day": range(300), "y": noise})
        if walks:
            frame = frame.with_columns(walk=pl.Series(np.cumsum(noise) - noise))
        summary = trained(frame, tmp_path / str(seed), n_trials=3, seed=seed).summary
        found = summary.holdout["r2"]
        n_covered += found.low <= 0.0 <= found.high
        n_above += found.low > 0.0
        assert summary.cv_score < 0.1
    assert n_above == 0
    assert walks or n_covered >= 2


def test_trees_follow_a_trend_by_its_changes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"day": days(300), "y": 0.5 * np.arange(300) + rng.normal(size=300)})
    given: dict[str, Any] = {"trainers": ("histogram_boosting",), "n_trials": 3, "metric": "rmse"}

    model = trained(frame, tmp_path / "past", **given)
    without = trained(frame, tmp_path / "none", **given, horizon=0)

    assert model.summary.params["past"] == "change"
    assert model.summary.holdout["rmse"].estimate < 2
    assert without.summary.holdout["rmse"].estimate > 10


@pytest.mark.parametrize("trainer", ["linear", "histogram_boosting", "forest", "lightgbm"])
@pytest.mark.parametrize("past", ["values", "change"])
def test_saved_pipelines_with_a_past_answer_alike_on_raw_rows(trainer: str, past: str) -> None:
    if trainer not in TRAINERS:
        pytest.skip("its extra is not installed")
    frame = second_order(150).with_columns(
        x=pl.col("y").shift(1).fill_null(0) ** 2, shop=pl.Series(["a", "b", "c"] * 50)
    )
    spec = TrainingSpec(source="t.csv", time_column="day", group_column="shop")
    table = prepare_table(spec, dataset_of(frame))
    model = fitted(table, trainer, past=past, pairs="chosen", screening="shadows")
    rows = pd.DataFrame(
        [
            {"day": "2024-05-30", "y": 1.5, "x": 1.0, "shop": "a"},
            {"day": "2024-05-31", "y": None, "x": None, "shop": "a"},
            {"day": None, "y": None, "x": float("nan"), "shop": None},
            {"day": "2031-01-01T00:00:00", "y": None, "x": -1.0, "shop": "never seen"},
        ]
    )

    saved = skops.io.dumps(model)
    loaded = skops.io.loads(saved, trusted=list(EXTRA_TRUSTED_TYPES))

    assert set(skops.io.get_untrusted_types(data=saved)) <= set(EXTRA_TRUSTED_TYPES)
    assert_array_equal(loaded.predict(rows), model.predict(rows))
    assert np.isfinite(model.predict(rows)).all()


def test_classes_have_a_past_too(tmp_path: Path) -> None:
    """A state that mostly stays what it was."""
    rng = np.random.default_rng(0)
    state = np.cumsum(rng.random(400) < 0.1) % 2
    frame = pl.DataFrame(
        {"day": days(400), "x": rng.normal(size=400), "y": np.where(state == 1, "wet", "dry")}
    )

    summary = trained(frame, tmp_path, n_trials=3).summary

    assert summary.params["past"] == "values"
    assert summary.holdout["roc_auc"].low > 0.65


def test_what_is_no_series_has_no_past() -> None:
    def past_of(frame: pl.DataFrame, **given: Any) -> tuple[Any, tuple[str, ...]]:
        spec = TrainingSpec(source="t.csv", time_column="day", **given)
        table = prepare_table(spec, dataset_of(frame))
        return table.kinds.past, table.warnings

    series = second_order(100)
    twice = pl.concat([series, series]).with_columns(shop=pl.Series(["a"] * 100 + ["b"] * 100))
    rng = np.random.default_rng(0)
    moments = days(1)[0] + np.cumsum(rng.exponential(1e10, 100).astype("timedelta64[us]"))
    events = series.with_columns(day=pl.Series(moments))

    assert past_of(series)[0] is not None
    assert past_of(series, horizon=0) == (None, ())
    assert past_of(twice)[1] == (
        "The past of 'y' is not used: times of 'day' repeat; group_column may name the series.",
    )
    assert past_of(twice, group_column="shop")[0].series == "shop"
    # A fourth series of its own spacing.
    hours = pl.Series(np.arange(100.0))
    shop = pl.Series(np.repeat(["a", "b", "c", "d"], 100))
    for other, why in [
        (hours / 3, "some times of 'day' lie closer than half the usual spacing"),
        (hours * 0.7, "the series of 'shop' differ in their usual spacing"),
    ]:
        mixed = pl.concat([series.with_columns(day=day) for day in (hours, hours, hours, other)])
        mixed = mixed.with_columns(shop=shop)
        found, said = past_of(mixed, group_column="shop")
        assert (found, said[0]) == (None, f"The past of 'y' is not used: {why}.")
    weekly = mixed.with_columns(
        day=pl.when(pl.col("shop") == "d").then(pl.col("day") / 0.1).otherwise("day")
    )
    assert past_of(weekly, group_column="shop")[0] is not None  # a gap of seven steps, each time
    between = pl.concat([series, series[:1].with_columns(pl.col("day") + pl.duration(minutes=9))])
    assert past_of(between)[1] == (
        "The past of 'y' is not used: some times of 'day' lie closer than half the usual spacing.",
    )
    assert past_of(events)[1] == (
        "The past of 'y' is not used: the times of 'day' have no usual spacing.",
    )


def test_requests_are_not_mixed_where_rows_look_at_one_another() -> None:
    table = prepare_table(
        TrainingSpec(source="t.csv", time_column="day"), dataset_of(second_order(100))
    )
    model = fitted(table, "linear", past="values")
    columns = (Column("day", "string", False), Column("y", "double", False))

    def asked(*rows: tuple[str, float | None]) -> Request:
        content = {"dataframe_split": {"columns": ["day", "y"], "data": rows}}
        return Request("application/json", json.dumps(content).encode())

    mine, others = asked(("2024-03-23", None)), asked(("2024-03-22", 50.0))
    answering = Answering(LoadedModel(model, columns))

    together = [outcome.predictions for outcome in answering.answer([mine, others])]

    assert together == [answering.answer([one])[0].predictions for one in (mine, others)]
    mixed = answering.answer([asked(("2024-03-22", 50.0), ("2024-03-23", None))])[0].predictions
    assert abs(float(mixed[1]) - float(together[0][0])) > 10


def test_a_model_that_looks_back_is_registered_and_served_on_raw_rows(tmp_path: Path) -> None:
    frame = second_order(120)
    source = tmp_path / "series.csv"
    frame.write_csv(source)
    options = Settings(home=tmp_path / "home", project_dir=tmp_path)

    def report(
        fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None: ...

    context = StepContext("run-1", "tester", options, report)
    params = validated(
        WORKFLOWS["train"],
        {
            "source": str(source), "target": "y", "model": "series", "time_column": "day",
            "trainers": ["linear"], "n_trials": 3, "n_folds": 3,
        },
    )  # fmt: skip

    summary = search(context, params, {})["summary"]
    version = register(context, params, {})["version"]

    assert summary["params"]["past"] in ("values", "change")
    with registry_for_a_step(options) as desk:
        checks = desk.vault.verify("series", version)
        open_version = in_process(
            lambda number: desk.vault.checkout("series", number),
            extra_trusted=EXTRA_TRUSTED_TYPES,
        )
        engine = open_version(version).engine
    assert checks.ok
    asked = [{"day": "2024-04-30", "y": None}, {"day": "2024-04-29", "y": 50.0}]
    own = load_trained(context.folder, EXTRA_TRUSTED_TYPES).pipeline
    answers = []
    for rows in (asked[:1], asked):
        body = json.dumps({"dataframe_records": rows}).encode()
        outcome = ask(engine, Request("application/json", body), timeout_s=30)
        assert outcome.status == 200, outcome.body
        expected = own.predict(pd.DataFrame(rows))
        assert_allclose(np.array(outcome.predictions, dtype=float), expected, rtol=1e-12)
        answers.append(float(outcome.predictions[0]))
    engine.close()
    assert answers[1] > answers[0] + 10  # the day before was 50
