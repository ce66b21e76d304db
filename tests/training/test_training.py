"""Training is real: what comes out follows what goes in."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.training import killed_training
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train

PNG = b"\x89PNG\r\n\x1a\n"


def builtin(name: str) -> Dataset:
    return load_dataset(f"builtin:{name}", roots=[], max_bytes=1)


def trained(study_dir: Path, dataset: Dataset, **given: object) -> TrainedModel:
    values = {"source": dataset.source, "n_trials": 4, "n_folds": 3, "trainers": ("linear",)}
    spec = TrainingSpec(**{**values, **given})
    return train(spec, dataset, study_dir=study_dir, report=lambda *_: None)


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    target = dataset.frame[dataset.default_target or ""]
    return replace(dataset, frame=dataset.frame.with_columns(target.shuffle(seed=seed)))


def test_all_families_are_searched_and_the_summary_adds_up(tmp_path: Path) -> None:
    seen: list[tuple[float, str, Mapping[str, float]]] = []
    spec = TrainingSpec(source="t.csv", n_trials=7, n_folds=3)

    model = train(
        spec,
        dataset_of(mixed_table()),
        study_dir=tmp_path,
        report=lambda *report: seen.append(report),
    )

    summary = model.summary
    assert (summary.task, summary.target, summary.metric) == ("classification", "y", "roc_auc")
    assert (summary.n_rows_train, summary.n_rows_test) == (192, 48)
    assert summary.n_complete + summary.n_pruned + summary.n_failed == summary.n_trials == 7
    assert summary.classes == ("no", "yes")
    assert summary.cv_score == pytest.approx(np.mean(summary.cv_fold_scores))
    assert set(summary.holdout) == {"roc_auc", "accuracy", "f1_macro"} == set(summary.baseline)
    assert summary.holdout["roc_auc"].low > summary.baseline["roc_auc"] == 0.5
    # The three columns that make the target matter more than the two that do not.
    assert {i.feature for i in summary.importances[:3]} == {"n", "c", "b"}
    fractions = [fraction for fraction, _, _ in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert any("best roc_auc" in message for _, message, _ in seen)
    assert seen[-2][2].get("best_score", summary.cv_score) == summary.cv_score


def test_the_model_takes_its_example_and_scores_what_the_summary_says(tmp_path: Path) -> None:
    dataset = dataset_of(mixed_table())

    model = trained(tmp_path, dataset, n_trials=2)

    assert list(model.input_example) == list(model.summary.features)
    raw = dataset.frame.head(5).select(model.summary.features)
    from_json = pd.DataFrame(raw.with_columns(pl.col("t").dt.to_string("iso:strict")).to_dicts())
    assert (model.pipeline.predict(model.input_example) == model.pipeline.predict(from_json)).all()
    assert all(requirement.count("==") == 1 for requirement in model.pip_requirements)
    assert all(picture.startswith(PNG) for picture in model.plots.values())
    assert set(model.plots) == {"search", "confusion_matrix", "roc_curve", "importances"}


def test_held_out_rows_are_never_touched_by_the_search(tmp_path: Path) -> None:
    """Other values in the last fifth change the estimate, and not the search or the model."""
    frame = pl.DataFrame(
        {"when": range(200), "x": np.random.default_rng(0).normal(size=200)}
    ).with_columns(y=2 * pl.col("x") + pl.col("when") / 100)
    spoiled = frame.with_columns(
        y=pl.when(pl.col("when") < 160).then(pl.col("y")).otherwise(-pl.col("y"))
    )

    models = [
        trained(tmp_path / name, dataset_of(data), time_column="when")
        for name, data in [("a", frame), ("b", spoiled)]
    ]
    first, second = (model.summary for model in models)

    assert first.cv_fold_scores == second.cv_fold_scores
    assert first.params == second.params
    probe = models[0].input_example
    assert (models[0].pipeline.predict(probe) == models[1].pipeline.predict(probe)).all()
    assert first.holdout["r2"].estimate > 0.9
    assert second.holdout["r2"].estimate < 0


def test_the_model_in_hand_is_the_one_that_was_judged(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"when": range(100), "x": np.random.default_rng(1).normal(size=100)}
    ).with_columns(y=pl.col("x") + pl.Series(np.random.default_rng(2).normal(size=100)))

    model = trained(tmp_path, dataset_of(frame), time_column="when", horizon=0)

    held_out = frame.tail(20)
    predicted = model.pipeline.predict(held_out.select("when", "x").to_pandas())
    given = Predictions(held_out["y"].to_numpy(), predicted, np.empty((20, 0)))
    for name, interval in model.summary.holdout.items():
        assert interval.estimate == pytest.approx(METRICS[name].compute(given), rel=1e-9)


@pytest.mark.parametrize(("name", "metric"), [("breast_cancer", "roc_auc"), ("diabetes", "r2")])
def test_shuffled_labels_bring_the_score_to_chance(tmp_path: Path, name: str, metric: str) -> None:
    dataset = builtin(name)
    honest = trained(tmp_path / "honest", dataset).summary.holdout[metric]
    chance = 0.5 if metric == "roc_auc" else 0.0

    found = [
        trained(
            tmp_path / str(seed), shuffled(dataset, seed), seed=seed, n_trials=3
        ).summary.holdout[metric]
        for seed in range(3)
    ]

    assert honest.low > chance
    # R2 of a model of noise lies a little below 0, that of the mean; never above.
    assert sum(interval.low <= chance for interval in found) >= 2
    assert sum(interval.high >= chance - 0.06 for interval in found) >= 2


def test_the_score_follows_the_noise_in_the_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=300), rng.normal(size=300)
    scores = []
    for size in (0.1, 1.0, 3.0):
        frame = pl.DataFrame({"x": x, "z": rng.normal(size=300), "y": x + size * noise})
        summary = trained(tmp_path / str(size), dataset_of(frame)).summary
        scores.append(summary.holdout["r2"].estimate)

    # The best possible R2 is 1 / (1 + size^2): 0.99, 0.5 and 0.1.
    assert scores[0] == pytest.approx(0.99, abs=0.02)
    assert scores[1] == pytest.approx(0.5, abs=0.2)
    assert scores[2] == pytest.approx(0.1, abs=0.15)


def test_the_search_picks_the_family_that_the_truth_needs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, 400), rng.uniform(-1, 1, 400)
    middle = pl.DataFrame({"a": a, "b": b, "y": np.where(np.abs(a) < 0.5, "in", "out")})
    slope = pl.DataFrame({"a": a, "b": b, "y": 3 * a - b + rng.normal(0, 0.3, 400)})
    families = ("linear", "forest")

    curved = trained(tmp_path / "a", dataset_of(middle), trainers=families).summary
    straight = trained(tmp_path / "b", dataset_of(slope), trainers=families).summary

    assert (curved.trainer, straight.trainer) == ("forest", "linear")
    assert curved.holdout["roc_auc"].low > 0.9


def test_a_leaking_column_is_named_in_the_warnings(tmp_path: Path) -> None:
    frame = mixed_table().with_columns(closed=pl.col("y") == "yes")

    summary = trained(tmp_path, dataset_of(frame), n_trials=1).summary

    assert [warning for warning in summary.warnings if "may leak" in warning]
    assert summary.leakage_suspects
    assert "'closed'" in summary.warnings[0]


def test_a_promise_that_the_held_out_rows_do_not_bear_out_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    kept = np.where(a > 0, "yes", "no")
    broken = np.where(np.arange(300) < 240, kept, rng.permutation(kept))
    days = pl.Series("day", np.arange(300))
    told = {}
    for name, answers in (("kept", kept), ("broken", broken)):
        frame = pl.DataFrame({"a": a, "y": answers, "day": days})
        options = {"trainers": ("linear",), "n_trials": 1, "time_column": "day"}
        summary = trained(tmp_path / name, dataset_of(frame), **options).summary
        told[name] = [said for said in summary.warnings if "bear out" in said]

    assert told["kept"] == []
    (said,) = told["broken"]
    assert said.startswith("Cross-validation gave 1, better than the held-out rows bear out (0.")


def test_groups_and_regression_are_summarised(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = rng.integers(0, 30, 300)
    frame = pl.DataFrame({"person": people, "x": rng.normal(size=300)}).with_columns(
        y=pl.col("x") + pl.Series(rng.normal(size=30)[people])
    )

    model = trained(tmp_path, dataset_of(frame), group_column="person")

    assert model.summary.features == ("x",)
    assert model.summary.classes == ()
    assert set(model.summary.holdout) == {"r2", "rmse", "mae"}
    assert set(model.plots) == {"search", "predicted_vs_actual", "importances"}


def test_a_training_killed_twice_equals_one_that_was_not(tmp_path: Path) -> None:
    program = Path(killed_training.__file__)
    for moment in ("2", "7"):
        with subprocess.Popen(
            [sys.executable, str(program), str(tmp_path / "killed")],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if line.strip() == moment:
                    child.kill()
                    break
        assert child.returncode == -9

    resumed = killed_training.run(tmp_path / "killed")
    whole = killed_training.run(tmp_path / "whole")

    assert resumed.summary.model_dump(exclude={"seconds"}) == whole.summary.model_dump(
        exclude={"seconds"}
    )
    assert resumed.plots == whole.plots
