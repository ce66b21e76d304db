from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ml_orchestrator.datasets.kinds import column_kind
from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.retyping import retyped
from ml_orchestrator.datasets.sources import load_dataset, load_head
from ml_orchestrator.errors import InvalidInputError

FRAME = pl.DataFrame(
    {
        "zip": [10115, 80331, None],
        "price": [" 1.5", "2e3", None],
        "code": [1.0, 2.0, None],
        "ratio": [0.5, 1.0, None],
        "answer": ["Yes", " no", None],
        "flag": [1, 0, None],
        "on": [True, False, None],
        "day": ["2024-02-29", "2024-03-01", None],
        "at": ["2024-02-29T12:00:00+02:00", "2024-03-01 10:00:00", None],
        "mixed": ["2024-02-29T12:00:00.5Z", "2024-03-01", None],
        "when": [date(2024, 2, 29), date(2024, 3, 1), None],
        "list": [[1], [2], None],
    }
)


@pytest.mark.parametrize(
    ("name", "wanted", "values"),
    [
        ("zip", "categorical", ["10115", "80331", None]),
        ("zip", "numeric", [10115, 80331, None]),
        ("code", "categorical", ["1", "2", None]),
        ("ratio", "categorical", ["0.5", "1.0", None]),
        ("when", "categorical", ["2024-02-29", "2024-03-01", None]),
        ("price", "numeric", [1.5, 2000.0, None]),
        ("on", "numeric", [1.0, 0.0, None]),
        ("answer", "boolean", [True, False, None]),
        ("flag", "boolean", [True, False, None]),
        ("on", "boolean", [True, False, None]),
        ("day", "temporal", [date(2024, 2, 29), date(2024, 3, 1), None]),
        ("when", "temporal", [date(2024, 2, 29), date(2024, 3, 1), None]),
        ("at", "temporal", [datetime(2024, 2, 29, 10), datetime(2024, 3, 1, 10), None]),
        (
            "mixed",
            "temporal",
            [datetime(2024, 2, 29, 12, 0, 0, 500_000), datetime(2024, 3, 1), None],
        ),
    ],
)
def test_a_column_is_read_as_asked_and_the_others_stay(
    name: str, wanted: ColumnType, values: list[Any]
) -> None:
    read = retyped(FRAME, {name: wanted})

    assert read[name].to_list() == values
    assert column_kind(read[name]) == wanted
    assert read.drop(name).equals(FRAME.drop(name))
    assert read.columns == FRAME.columns


def test_an_ignored_column_is_gone() -> None:
    assert retyped(FRAME, {"zip": "ignore"}).equals(FRAME.drop("zip"))


def test_nothing_asked_changes_nothing() -> None:
    assert retyped(FRAME, {}).equals(FRAME)


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({"zpi": "numeric"}, "did you mean 'zip'"),
        ({"answer": "numeric"}, "row 1 of 3 holds 'Yes', and 1 other rows"),
        ({"zip": "boolean"}, "row 1 of 3 holds '10115'"),
        ({"price": "temporal"}, "row 1 of 3 holds ' 1.5'"),
        ({"zip": "temporal"}, "is Int64, which cannot be read as temporal. Times are written"),
        ({"when": "boolean"}, "is Date, which cannot be read as boolean"),
        ({"list": "categorical"}, "cannot be read as categorical"),
        ({"list": "numeric"}, "cannot be read as numeric"),
        (dict.fromkeys(FRAME.columns, "ignore"), "leave at least one"),
    ],
)
def test_what_cannot_be_read_so_is_refused_by_row_and_value(
    types: dict[str, ColumnType], said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        retyped(FRAME, types)

    assert said in str(caught.value)


@pytest.mark.parametrize("max_bytes", [10**6, 60])
def test_labels_of_a_file_keep_their_zeros(tmp_path: Path, max_bytes: int) -> None:
    (tmp_path / "t.csv").write_text("zip,n\n" + "01234,1\n" * 10)

    frame = load_dataset(
        "t.csv", roots=[tmp_path], max_bytes=max_bytes, column_types={"zip": "categorical"}
    ).frame
    head = load_head("t.csv", roots=[tmp_path], n_rows=3, column_types={"zip": "categorical"}).frame

    assert set(frame["zip"]) == set(head["zip"]) == {"01234"}
    assert frame["n"].dtype == pl.Int64


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("zip,n\n1,2\n")

    with pytest.raises(InvalidInputError, match="No column 'zap'"):
        load_dataset("t.csv", roots=[tmp_path], max_bytes=99, column_types={"zap": "ignore"})
