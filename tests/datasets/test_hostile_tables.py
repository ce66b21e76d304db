"""Names that libraries take for something else and values at the edge of floats are just data."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.datasets.plots import profile_plot
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.plots import drift_plot
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import check, train

PNG = b"\x89PNG\r\n\x1a\n"
N_ROWS = 60
_RNG = np.random.default_rng(0)
HOSTILE = pl.DataFrame(
    {
        "self": _RNG.normal(size=N_ROWS),
        "*": _RNG.normal(size=N_ROWS),
        "^.*$": _RNG.normal(size=N_ROWS),
        "": _RNG.normal(size=N_ROWS),
        "len": ["a", "b", "c"] * 20,
        "value": [True, False] * 30,
        "large": pl.Series([2**64 - 1 - i for i in range(N_ROWS)], dtype=pl.UInt64),
        "edge": [1.0, float("inf"), -float("inf"), 1e149] * 15,
        "count": _RNG.permutation(["yes", "no"] * 30),
    }
)


@pytest.mark.parametrize("target", HOSTILE.columns)
def test_hostile_names_and_values_are_profiled_drawn_and_checked(target: str) -> None:
    dataset = dataset_of(HOSTILE, target)

    profile = profile_dataset(dataset, None)
    check(TrainingSpec(source="t.csv", n_folds=2), dataset)

    assert profile.target == target
    assert profile.n_columns == len(profile.columns) == HOSTILE.width
    assert profile_plot(dataset, profile).startswith(PNG)
    assert profile.model_dump_json()


def test_hostile_names_and_values_are_compared_and_drawn() -> None:
    arrays = columns_as_arrays(HOSTILE)

    report = check_drift(arrays, arrays)

    assert list(arrays) == HOSTILE.columns
    assert report.n_drifted == 0
    assert drift_plot(report, arrays, arrays).startswith(PNG)


def test_hostile_names_are_trained_on_to_the_end(tmp_path: Path) -> None:
    frame = HOSTILE.drop("large", "edge")
    spec = TrainingSpec(source="t.csv", trainers=("linear",), n_trials=1, n_folds=2)

    model = train(
        spec, dataset_of(frame, "count"), study_dir=tmp_path / "study", report=lambda *_: None
    )

    assert {*frame.columns} - {*model.summary.features} == {"", "count"}
    assert {i.feature for i in model.summary.importances} == {*model.summary.features}


def test_values_beyond_any_calculation_are_profiled_and_drawn() -> None:
    frame = pl.DataFrame({"x": [1e308, -1e308] * 30, "y": ["a", "b", "b"] * 20})
    dataset = dataset_of(frame)

    profile = profile_dataset(dataset, None)

    assert profile.columns[0].maximum == 1e308
    assert profile.columns[0].std is None
    assert profile_plot(dataset, profile).startswith(PNG)


def test_values_beyond_any_calculation_are_not_compared() -> None:
    fine = {"x": np.array([1.0, 2.0])}

    with pytest.raises(InvalidInputError, match=r"'x' of the current sample holds -1e\+308"):
        check_drift(fine, {"x": np.array([1.0, -1e308])})


def test_an_infinite_target_is_left_out_of_the_search_for_leaks() -> None:
    classes = [float("inf")] * 30 + [1.0, 0.0] * 30
    frame = pl.DataFrame({"x": classes, "y": classes}).with_columns(
        x=pl.Series([0.0] * 30 + [5.0, 6.0] * 30)
    )

    profile = profile_dataset(dataset_of(frame), None)

    assert [suspect.column for suspect in profile.leakage_suspects] == ["x"]
