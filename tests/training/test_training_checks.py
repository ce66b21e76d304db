"""The check before a run: whole for small files, of the head for large ones."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration import checks
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.study import FinishedTrial
from ml_orchestrator.training.summary import _failure_warnings

ONE_CLASS_FIRST = pl.DataFrame(
    {
        "x": [i % 7 for i in range(200)],
        "name": [f"n{i % 5}" for i in range(200)],
        "y": ["a"] * 150 + ["b"] * 50,
    }
)


@pytest.fixture(params=["csv", "parquet"])
def large_file(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A file that counts as large, of which 100 rows are read."""
    monkeypatch.setattr(checks, "LARGE_BYTES", 100)
    monkeypatch.setattr(checks, "HEAD_ROWS", 100)
    source = f"t.{request.param}"
    write = ONE_CLASS_FIRST.write_csv if request.param == "csv" else ONE_CLASS_FIRST.write_parquet
    write(tmp_path / source)
    return source


def check(folder: Path, source: str, **given: Any) -> tuple[str, ...]:
    spec = TrainingSpec(source=source, **given)
    return checks.check_training(Settings.read({}, project_dir=folder), spec.model_dump())


def test_what_is_left_out_is_said_before_the_run(tmp_path: Path) -> None:
    frame = ONE_CLASS_FIRST.with_columns(
        weight=pl.Series([None, *[1.5] * 199]),
        visit=pl.Series(range(1_000, 1_400, 2)),
        empty=pl.lit(None),
    )
    frame.write_parquet(tmp_path / "t.parquet")

    said = check(tmp_path, "t.parquet", target="y", weight_column="weight")
    ignored = check(tmp_path, "t.parquet", target="y", column_types={"visit": "ignore"})

    assert said == (
        "1 rows without 'y' or 'weight' are left out of training.",
        "Column 'empty' was left out: it has no values.",
        "'visit' only numbers or names the rows; leave it out by "
        'column_types {"visit": "ignore"}.',
        "nearest was left out: it learns from all rows alike, whatever their weight; to have it "
        "tried, name it in trainers.",
    )
    assert ignored == said[1:2]


def test_what_only_the_rest_of_a_large_file_can_show_is_left_to_the_run(
    large_file: str, tmp_path: Path
) -> None:
    check(tmp_path, large_file, target="y")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"target": "z"}, "No column 'z'"),
        ({"target": "y", "trainers": ("oracle",)}, "No trainer 'oracle'"),
        ({"target": "y", "trainers": ("lgbm",)}, "(did you mean 'lightgbm'?)"),
        ({"target": "y", "metric": "luck"}, "No metric 'luck'"),
        ({"target": "y", "metric": "rmse"}, "No metric 'rmse' for classification"),
        ({"target": "name", "task": "regression"}, "Use task classification"),
        ({"target": "y", "group_column": "who"}, "No column 'who'"),
    ],
)
def test_what_the_head_of_a_large_file_proves_is_refused(
    large_file: str, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(tmp_path, large_file, **given)

    assert said in str(caught.value)


def test_a_small_file_is_checked_whole(tmp_path: Path) -> None:
    ONE_CLASS_FIRST.head(100).write_csv(tmp_path / "t.csv")

    with pytest.raises(InvalidInputError, match="one value only"):
        check(tmp_path, "t.csv", target="y")


def test_a_family_that_failed_in_every_trial_is_named_with_its_error() -> None:
    def trial(index: int, family: str, error: str) -> FinishedTrial:
        return FinishedTrial(
            index, "failed" if error else "complete", {"trainer": family}, (0.5,), 1.0, error
        )

    trials = [
        trial(0, "nearest", "all weights are zero " * 20),
        trial(1, "nearest", "later"),
        trial(2, "linear", ""),
        trial(3, "linear", "once"),
    ]

    (said,) = _failure_warnings(trials)

    assert said.startswith("nearest took no part: all 2 of its trials failed: all weights are zero")
    assert len(said) < 300
    assert _failure_warnings(trials[2:]) == []
