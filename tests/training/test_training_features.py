"""Categories by the target's means, free text and cycles: honest, and usable on raw rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from tests.training.tables import dataset_of

from ml_orchestrator.training.dates import DateParts
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.search import train
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.text_features import TextTopics
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

N_SHOPS = 80
ODD_ROWS: list[dict[str, Any]] = [
    {"shop": "never seen", "note": "", "day": "2031-01-01T00:00:00"},
    {"shop": None, "note": None, "day": None},
    {"shop": float("nan"), "note": float("nan"), "day": "2024-02-29T12:00:00+01:00"},
    {"shop": "", "note": "zzz quite unheard of ☃", "day": "2024-06-01"},
    {"shop": "shop 3", "note": "the food was tasty " * 400, "day": "2024-06-01"},
]


def shops_and_notes(n_rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """Each shop adds its own part to ``y``, a good word in the note adds 2; so does summer."""
    rng = np.random.default_rng(seed)
    shop, is_good = rng.integers(0, N_SHOPS, n_rows), rng.random(n_rows) < 0.5
    words = np.array([f"word{i}" for i in range(200)])
    days = rng.integers(0, 730, n_rows)
    parts = np.random.default_rng(99).normal(size=N_SHOPS)
    frame = pl.DataFrame(
        {
            "shop": [f"shop {number}" for number in shop],
            "note": [
                " ".join([*rng.choice(words, 8), "tasty" if good else "stale"]) for good in is_good
            ],
            "day": np.datetime64("2023-01-01T00:00:00", "us") + days * np.timedelta64(1, "D"),
        }
    )
    y = parts[shop] + 2 * is_good - np.cos(2 * np.pi * days / 365) + rng.normal(0, 0.3, n_rows)
    return frame.with_columns(y=y)


def table_of(frame: pl.DataFrame, **given: Any) -> TrainingTable:
    return prepare_table(TrainingSpec(source="t.csv", **given), dataset_of(frame))


def fitted(table: TrainingTable, trainer: str, rows: "np.ndarray[Any, Any]") -> Any:
    entry = TRAINERS[trainer]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    return fit(build_pipeline(table.kinds, entry.needs, estimator), table, rows)


def r2(frame: pl.DataFrame, trainer: str = "linear") -> float:
    table = table_of(frame)
    cut = len(frame) * 3 // 4
    model = fitted(table, trainer, np.arange(cut))
    truth = table.codes[cut:]
    errors = truth - model.predict(table.features.iloc[cut:])
    return float(1 - np.mean(errors**2) / np.var(truth))


def test_columns_are_read_as_what_they_are() -> None:
    rng = np.random.default_rng(0)
    frame = shops_and_notes().with_columns(
        name=pl.Series([f"Ann{i} Smith" for i in rng.integers(0, 300, 400)]),
        colour=pl.Series(rng.choice(["red", "blue"], 400)),
        key=pl.Series([f"id{i}" for i in range(400)]),
        remark=pl.Series([f"this is remark number {i}" for i in range(400)]),
    )

    table = table_of(frame)

    assert table.kinds.text == ("note", "remark")
    assert table.kinds.categorical == ("shop", "name", "colour")
    assert table.kinds.many_valued == ("shop", "name")
    assert table.warnings == ("Column 'key' was left out: it names each row.",)
    assert table_of(frame.head(150)).kinds.many_valued == ()


@pytest.mark.parametrize("trainer", ["linear", "histogram_boosting"])
def test_each_kind_of_column_carries_its_signal(trainer: str) -> None:
    frame = shops_and_notes(800)
    # Variances: shops 1, word 1, season 0.5, noise 0.09.
    assert r2(frame, trainer) > 0.6
    for name, most in [("shop", 0.75), ("note", 0.75), ("day", 0.9)]:
        rest = frame.with_columns(pl.col(name).shuffle(seed=1))
        assert r2(rest, trainer) < most


def test_many_values_by_their_means_do_better_than_by_columns_of_their_own() -> None:
    shops = shops_and_notes(800).select("shop", "y")
    table = table_of(shops)
    rows, others = np.arange(600), np.arange(600, 800)
    errors = {}
    for kinds in (table.kinds, replace(table.kinds, many_valued=())):
        model = fitted(replace(table, kinds=kinds), "linear", rows)
        wrong = table.codes[others] - model.predict(table.features.iloc[others])
        errors[kinds.many_valued] = float(np.mean(wrong**2))

    assert errors["shop",] < 0.95 * errors[()]


@pytest.mark.parametrize(
    ("trainer", "task"), [("linear", "classification"), ("histogram_boosting", "regression")]
)
def test_on_pure_noise_the_held_out_interval_covers_chance(
    tmp_path: Path, trainer: str, task: str
) -> None:
    """Were a row's own target in its code, cross-validation would promise what is not there."""
    covered, promised = 0, []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        codes = {f"c{i}": [f"v{v}" for v in rng.integers(0, 150, 450)] for i in range(3)}
        y = rng.integers(0, 2, 450) if task == "classification" else rng.normal(size=450)
        spec = TrainingSpec(
            source="t.csv",
            trainers=(trainer,),
            n_trials=2,
            n_folds=3,
            seed=seed,
            task=task,
        )

        summary = train(
            spec,
            dataset_of(pl.DataFrame({**codes, "y": y})),
            study_dir=tmp_path / str(seed),
            report=lambda *_: None,
        ).summary

        found, chance = summary.holdout[summary.metric], 0.5 if task == "classification" else 0.0
        # R2 of a model of noise lies a little below that of the mean, which is 0.
        covered += found.low <= chance and found.high >= chance - 0.1
        promised.append(summary.cv_score - chance)
    assert covered >= 2
    assert np.mean(promised) < 0.04


def test_the_target_of_a_group_is_not_in_the_code_of_its_other_rows() -> None:
    """Rows of one group share the target, and a noisy category that nearly names the group."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(300), 8)
    y = rng.normal(size=300)[group]
    city = rng.integers(0, 150, 300)[group]
    frame = pl.DataFrame(
        {"who": group, "city": [f"c{v}" for v in city], "x": y + rng.normal(size=2400), "y": y}
    )
    cut = 225 * 8
    scores = {}
    for columns in (("who", "x", "y"), ("who", "city", "x", "y")):
        table = table_of(frame.select(columns), group_column="who")
        assert table.kinds.many_valued == ()
        model = fitted(table, "linear", np.arange(cut))
        errors = table.codes[cut:] - model.predict(table.features.iloc[cut:])
        scores[columns] = 1 - np.mean(errors**2) / np.var(table.codes[cut:])

    without, beside = scores.values()
    assert without > 0.4
    assert beside > without - 0.1
    assert table_of(frame, time_column="x").kinds.many_valued == ()
    assert table_of(frame).kinds.many_valued == ("city",)


def test_a_rows_own_target_is_not_in_its_code() -> None:
    rng = np.random.default_rng(0)
    codes = [f"v{v}" for v in rng.integers(0, 300, 600)]
    table = table_of(pl.DataFrame({"c": codes, "y": rng.normal(size=600)}))
    kinds, needs = table.kinds, TRAINERS["forest"].needs
    columns = build_pipeline(kinds, needs, TRAINERS["forest"].build(
        table.problem, TRAINERS["forest"].first_params, seed=0, n_jobs=None
    )).named_steps["columns"]  # fmt: skip

    while_fitting = columns.fit_transform(table.features, table.labels)[:, 0]
    afterwards = columns.transform(table.features)[:, 0]

    assert abs(np.corrcoef(while_fitting, table.codes)[0, 1]) < 0.15
    assert np.corrcoef(afterwards, table.codes)[0, 1] > 0.4  # here the own target counts


@pytest.mark.parametrize("trainer", ["linear", "histogram_boosting"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_odd_raw_rows_are_predicted_alike_by_a_saved_pipeline(trainer: str, task: str) -> None:
    frame = shops_and_notes()
    if task == "classification":
        frame = frame.with_columns(
            y=pl.when(pl.col("y") > 1.5).then(pl.lit("high")).when(pl.col("y") > 0)
            .then(pl.lit("middle")).otherwise(pl.lit("low"))
        )  # fmt: skip
    table = table_of(frame)
    model = fitted(table, trainer, np.arange(300))

    saved = skops.io.dumps(model)
    loaded = skops.io.loads(saved, trusted=list(EXTRA_TRUSTED_TYPES))

    assert set(skops.io.get_untrusted_types(data=saved)) <= set(EXTRA_TRUSTED_TYPES)
    together = model.predict(pd.DataFrame(ODD_ROWS))
    assert_array_equal(loaded.predict(pd.DataFrame(ODD_ROWS)), together)
    alone = [model.predict(pd.DataFrame([row]))[0] for row in ODD_ROWS]
    if task == "classification":
        assert list(together) == alone
        assert set(together) <= {"low", "middle", "high"}
    else:
        assert np.isfinite(together).all()
        assert_allclose(together, alone, rtol=1e-9)


def test_later_rows_change_nothing_that_was_learnt_from_earlier_ones() -> None:
    frame = shops_and_notes().sort("day")
    is_late = pl.int_range(pl.len()) >= 300
    spoiled = frame.with_columns(
        shop=pl.when(is_late).then(pl.lit("shop 0")).otherwise("shop"),
        note=pl.when(is_late).then(pl.lit("tasty tasty new words")).otherwise("note"),
        y=pl.when(is_late).then(1e6).otherwise("y"),
    )
    early = np.arange(300)
    tables = [table_of(data, time_column="day") for data in (frame, spoiled)]

    answers = [
        fitted(table, "linear", early).predict(tables[0].features.iloc[early]) for table in tables
    ]

    assert_array_equal(answers[0], answers[1])


def test_text_without_repeated_words_is_told_by_its_length_only() -> None:
    frame = pd.DataFrame({"a": ["one two", "three", None], "b": [None, None, ""]})

    topics = TextTopics().fit(frame)

    assert topics.transform(frame).tolist() == [[7, 2, 0, 0], [5, 1, 0, 0], [0, 0, 0, 0]]
    assert list(topics.get_feature_names_out()) == [
        "a_n_chars", "a_n_words", "b_n_chars", "b_n_words",
    ]  # fmt: skip


def test_a_table_of_text_alone_can_be_trained_on(tmp_path: Path) -> None:
    frame = shops_and_notes(200).select("note", y=pl.col("note").str.ends_with("tasty"))
    spec = TrainingSpec(source="t.csv", trainers=("linear",), n_trials=1, n_folds=3)

    model = train(spec, dataset_of(frame), study_dir=tmp_path, report=lambda *_: None)

    assert model.summary.holdout["roc_auc"].low > 0.9
    assert any(name.startswith("ml-orchestrator-mcp==") for name in model.pip_requirements)


def test_cycles_close() -> None:
    moments = ["2023-12-31T23:59:59", "2024-01-01T00:00:00", "2024-01-01T12:00:00"]
    frame = pd.DataFrame({"t": [*moments, None]})

    parts = DateParts(cyclic=True).fit(frame)
    values = parts.transform(frame)

    names = [name.removeprefix("t_") for name in parts.get_feature_names_out()]
    assert names[:3] == ["elapsed_days", "year_sin_1", "year_cos_1"]
    assert len(names) == values.shape[1] == 15
    assert_allclose(values[0], values[1], atol=1e-3)
    assert_allclose(values[2, names.index("day_cos_1")], -1)  # noon is opposite midnight
    assert_allclose(values[:3, 1::2] ** 2 + values[:3, 2::2] ** 2, 1)
    assert np.isnan(values[3]).all()


def test_a_reader_of_dates_that_was_saved_before_there_were_cycles_still_reads() -> None:
    frame = pd.DataFrame({"t": ["2024-01-31"]})
    old = DateParts().fit(frame)
    del old.__dict__["cyclic"]

    loaded = skops.io.loads(skops.io.dumps(old), trusted=list(EXTRA_TRUSTED_TYPES))

    assert loaded.transform(frame).shape == (1, 6)


def test_a_trend_is_followed_beyond_the_rows_it_was_learnt_from() -> None:
    days = np.arange(800)
    when = np.datetime64("2022-01-01T00:00:00", "us") + days * np.timedelta64(1, "D")
    y = 0.1 * days + np.random.default_rng(0).normal(0, 1, 800)
    table = table_of(pl.DataFrame({"when": when, "y": y}), time_column="when")
    late = np.arange(700, 800)

    short = {
        trainer: -float(
            np.mean(
                fitted(table, trainer, np.arange(700)).predict(table.features.iloc[late]) - y[late]
            )
        )
        for trainer in ("linear", "linear_boosting", "histogram_boosting")
    }

    assert abs(short["linear"]) < 1
    assert abs(short["linear_boosting"]) < 1
    assert short["histogram_boosting"] > 4  # trees stay at the last value
