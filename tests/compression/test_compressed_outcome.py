"""What is registered of a compressed model: it asks for what the version asked for, no more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.orchestration.compressing.case import Case, Origin
from ml_orchestrator.orchestration.compressing.judging import Compressed, compress
from ml_orchestrator.orchestration.compressing.methods import MAKERS, Made, Wish
from ml_orchestrator.orchestration.compressing.outcome import as_trained
from ml_orchestrator.training.holdout import columns_of, fit, predict
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.trainers import TRAINERS


def case_of(frame: pl.DataFrame, folder: Path, **asked: object) -> Case:
    """Return a training of one trial as the version that is compressed."""
    spec = TrainingSpec.model_validate(
        {"source": "t.csv", "target": "y", "n_folds": 3, "n_trials": 1, "refine": False, **asked}
    )
    dataset = dataset_of(frame)
    trained = train(spec, dataset, study_dir=folder, report=lambda *_: None)
    job = prepare(spec, dataset)
    rows = job.split.test
    given = predict(trained.pipeline, job.table.features.iloc[rows], job.table, rows)
    return Case("sales", Origin(1, spec, trained.summary, False), trained.pipeline, job, "", given)


def compressed(case: Case, *methods: str) -> Compressed:
    return compress(case, methods, tolerance=0.2, prefer="size", seed=0, tell=lambda *_: None)  # type: ignore[arg-type]


def registered(case: Case, found: Compressed) -> TrainedModel:
    assert found.winner is not None, found.report
    return as_trained(case, found, found.winner)


def two_series(n_days: int = 120) -> pl.DataFrame:
    """Two shops whose sales hang on the price alone, not on the days before."""
    rng = np.random.default_rng(3)
    price = rng.normal(size=2 * n_days)
    return pl.DataFrame(
        {
            "day": np.datetime64("2024-01-01", "us")
            + np.tile(np.arange(n_days), 2) * np.timedelta64(1, "D"),
            "shop": np.repeat(["north", "south"], n_days),
            "price": price,
            "y": 3.0 - 2.0 * price + rng.normal(0, 0.1, 2 * n_days),
        }
    )


@pytest.fixture(scope="module")
def series_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(
        two_series(),
        tmp_path_factory.mktemp("series"),
        time_column="day",
        group_column="shop",
        trainers=("histogram_boosting",),
    )


def test_a_graph_of_a_model_of_series_without_a_past_is_judged_and_asks_for_no_target(
    series_case: Case,
) -> None:
    table = series_case.job.table
    assert table.kinds.past is not None
    assert {"y", "shop"} <= set(table.features.columns)

    found = compressed(series_case, "onnx")
    graph = registered(series_case, found)

    assert columns_of(graph.pipeline, table) == series_case.origin.summary.features
    assert graph.summary.importances[0].feature == "price"
    assert graph.input_example.columns.tolist() == ["price", "day"]
    assert tuple(graph.input_example.columns) == series_case.origin.summary.features
    assert isinstance(graph.input_example["day"].iloc[0], str)


def test_intervals_are_wider_for_two_methods_and_as_many_resamples_for_many_rows(
    series_case: Case,
) -> None:
    both = compressed(series_case, "prune", "onnx").report
    qualities = [each.quality for each in both.methods if each.quality is not None]
    assert len(qualities) == 2
    assert [quality.level for quality in qualities] == pytest.approx([0.95, 0.95])
    assert "95 % interval" in both.methods[1].summary

    split = replace(series_case.job.split, test=np.arange(40_000) % 40)
    many = replace(series_case, job=replace(series_case.job, split=split))
    assert many.draws()[1] == series_case.draws()[1] == 500


def test_the_version_is_fitted_again_once_for_all_methods(
    series_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, fitted = replace(series_case), []

    def counted(*given: Any) -> Any:
        fitted.append(given)
        return fit(*given)

    monkeypatch.setattr("ml_orchestrator.orchestration.compressing.case.fit", counted)
    report = compressed(case, "distil", "prune").report

    assert [each.verdict != "not possible" for each in report.methods] == [True, True]
    assert len(fitted) == len(case.origin.summary.members) == 1


def test_a_student_that_was_exported_is_registered_with_its_own_score(
    tmp_path: Path,
) -> None:
    frame = two_series().select("price", "y")
    case = case_of(frame, tmp_path, trainers=("nearest",))
    line = fit(
        case.job.build({"trainer": "linear", **TRAINERS["linear"].first_params}),
        case.job.table,
        case.job.split.train,
    )
    student = Made(line, "linear", "linear", {}, score=-0.125)

    graph = MAKERS["onnx"](case, Wish(0.2, 0, student), lambda *_: None)
    report = compressed(case, "prune").report
    summary = as_trained(case, Compressed(report, {"onnx": graph}), graph).summary

    assert (summary.cv_score, summary.cv_fold_scores) == (-0.125, (-0.125,))
    assert summary.members[0].cv_score == -0.125


def test_a_version_that_was_exported_keeps_the_scores_of_its_folds(series_case: Case) -> None:
    summary = registered(series_case, compressed(series_case, "onnx")).summary
    before = series_case.origin.summary
    assert (summary.cv_score, summary.cv_fold_scores) == (before.cv_score, before.cv_fold_scores)
    assert len(summary.cv_fold_scores) == 3
