"""Products, ratios and the choice of columns: found where planted, and used only where they pay."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.signal import lfilter
from tests.training.tables import dataset_of

from ml_orchestrator.training.feature_notes import feature_notes
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.pair_features import PairFeatures
from ml_orchestrator.training.preprocessing import FeatureOptions, build_pipeline
from ml_orchestrator.training.screening import ShadowScreening
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS

N_TOLD, N_NOISE = 5, 200


def hay(n_rows: int = 500, seed: int = 0) -> pl.DataFrame:
    """Five columns that tell of ``y``, a regression, among 200 of noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, N_TOLD + N_NOISE))
    y = x[:, :N_TOLD] @ [1.0, -1.0, 0.8, 0.6, 0.6] + rng.normal(size=n_rows)
    return pl.DataFrame(x, schema=[f"x{i}" for i in range(x.shape[1])]).with_columns(y=y)


def product(n_rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """``y`` is a product of two columns and one column more: a line finds the latter alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, 6))
    y = 1.5 * x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(0, 0.5, n_rows)
    return pl.DataFrame(x, schema=list("abcdef")).with_columns(y=pl.Series(y))


def trained(frame: pl.DataFrame, folder: Path, **given: Any) -> TrainedModel:
    spec = TrainingSpec.model_validate({"source": "t.csv", "n_folds": 3, **given})
    return train(spec, dataset_of(frame), study_dir=folder, report=lambda *_: None)


def r2(table: TrainingTable, trainer: str, cut: int, **options: Any) -> float:
    entry = TRAINERS[trainer]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    pipeline = build_pipeline(table.kinds, entry.needs, estimator, FeatureOptions(**options))
    rows = np.arange(cut, len(table.codes))
    model = fit(pipeline, table, np.arange(cut))
    return table.metric.compute(predict(model, table.features.iloc[rows], table, rows))


@pytest.mark.parametrize("is_class", [False, True])
def test_columns_that_tell_are_kept_and_most_noise_is_not(is_class: bool) -> None:
    frame = hay().to_pandas()
    y = np.where(frame["y"] > 0, "high", "low") if is_class else frame["y"].to_numpy()

    screening = ShadowScreening(is_class=is_class).fit(frame.drop(columns="y"), y)

    kept = set(screening.kept_.tolist())
    assert set(range(N_TOLD)) <= kept
    assert len(kept) <= N_TOLD + 0.1 * N_NOISE


def test_drifting_noise_is_not_kept_for_a_drifting_target() -> None:
    rng = np.random.default_rng(0)
    slow = lfilter([1.0], [1.0, -0.9], rng.normal(size=(400, 61)), axis=0)
    frame = pl.DataFrame(slow, schema=[f"x{i}" for i in range(60)] + ["y"])
    frame = frame.with_columns(day=pl.int_range(400))
    table = prepare_table(TrainingSpec(source="t.csv", time_column="day"), dataset_of(frame))
    entry = TRAINERS["linear"]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    options = FeatureOptions(screening="shadows")
    told = frame.with_columns(y=pl.col("x0") + pl.col("x1") + pl.col("x2"))

    model = fit(build_pipeline(table.kinds, entry.needs, estimator, options), table, np.arange(400))
    of_signal = ShadowScreening(is_class=False, is_ordered=True).fit(slow[:, :60], told["y"])

    assert len(model.named_steps["screening"].kept_) <= 0.15 * 61
    assert "copies moved in time" in feature_notes(model)[0]
    assert {0, 1, 2} <= set(of_signal.kept_.tolist())


def test_a_model_of_fewer_columns_is_no_worse() -> None:
    table = prepare_table(TrainingSpec(source="t.csv"), dataset_of(hay()))
    for trainer in ("linear", "nearest"):
        plain, screened = (r2(table, trainer, 375, screening=how) for how in ("none", "shadows"))
        assert screened > plain + 0.1
        assert screened > 0.5 if trainer == "linear" else screened > 0.3


def test_noise_alone_keeps_a_column_at_least() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    x[:, 1] = np.nan

    screening = ShadowScreening(is_class=False, n_fixed=1).fit(x, rng.normal(size=60))

    assert screening.kept_[0] == 0
    assert len(screening.kept_) >= 2


def test_the_choice_of_columns_is_tried_and_told(tmp_path: Path) -> None:
    model = trained(hay(200), tmp_path, trainers=("linear",), n_trials=9)

    assert model.summary.params["screening"] == "shadows"
    (note,) = (note for note in model.summary.feature_notes if "shuffled copies" in note)
    assert note.startswith(f"Of {N_TOLD + N_NOISE} columns")
    assert all(f"x{i}" in note for i in range(N_TOLD))
    assert note[:80] in model.card


def test_a_planted_product_and_a_ratio_are_found() -> None:
    frame = product().to_pandas()
    features = frame.drop(columns="y")
    pairs = PairFeatures().fit(features, frame["y"].to_numpy())

    assert list(pairs.get_feature_names_out())[6] == "a*b"
    assert pairs.transform(features).shape[1] == len(pairs.get_feature_names_out()) <= 8
    above = features.abs() + 1
    noise = np.random.default_rng(1).normal(0, 0.1, len(above))
    ratio = PairFeatures().fit(above, (above["a"] / above["b"] + noise).to_numpy())
    assert "a/b" in ratio.get_feature_names_out()
    odd = pd.DataFrame([{**dict.fromkeys("acdef", 1.0), "b": 0.0}, dict.fromkeys("abcdef")])
    made = ratio.transform(odd)[:, list(ratio.get_feature_names_out()).index("a/b")]
    assert np.isnan(made).all()


def test_no_pair_is_found_in_noise() -> None:
    n_found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        features = pd.DataFrame(rng.normal(size=(200, 12)))
        pairs = PairFeatures().fit(features, rng.normal(size=200))
        n_found += len(pairs.pairs_)
    assert n_found <= 2


def test_few_large_values_of_noise_are_no_pair() -> None:
    n_tables = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        features = pd.DataFrame(rng.lognormal(sigma=1.5, size=(500, 12)))
        n_tables += len(PairFeatures().fit(features, rng.lognormal(sigma=1.5, size=500)).pairs_) > 0
    assert n_tables <= 4  # 2 are expected at most


def test_lines_use_a_planted_product_and_the_card_says_so(tmp_path: Path) -> None:
    model = trained(product(), tmp_path, trainers=("linear",), n_trials=8)

    assert model.summary.params["pairs"] == "chosen"
    assert model.summary.holdout["r2"].low > 0.8
    assert any("a*b" in note for note in model.summary.feature_notes)
    assert "a*b" in model.card


def test_what_does_not_pay_is_not_used_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    frame = pl.DataFrame(x, schema=list("abcd")).with_columns(y=x @ [1.0, 1.0, 1.0, 1.0])

    summary = trained(frame, tmp_path, trainers=("linear",), n_trials=9).summary

    assert "pairs" not in summary.params
    assert summary.feature_notes == ()
