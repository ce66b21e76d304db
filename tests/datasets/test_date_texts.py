"""Dates are ISO 8601; what is written otherwise stays text, and is told with its row."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.datasets.date_texts import date_text_notice
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import Dataset, load_dataset, load_head
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import prepare_table

MONTHS = [(year, month) for year in range(2014, 2024) for month in range(1, 13)]
US = [f"{month:02d}/01/{year}" for year, month in MONTHS]
ISO = [f"{year}-{month:02d}-01" for year, month in MONTHS]
ONE_WRONG = [*ISO[:70], "2019-11-31", *ISO[71:]]


def loaded(folder: Path, days: Sequence[str], suffix: str = "csv", share: float = 2) -> Dataset:
    frame = pl.DataFrame(
        {"day": days, "x": range(len(days)), "y": [i % 7 for i in range(len(days))]}
    )
    path = folder / f"t.{suffix}"
    (frame.write_csv if suffix == "csv" else frame.write_ndjson)(path)
    max_bytes = int(path.stat().st_size * share)
    return load_dataset(path.name, roots=[folder], max_bytes=max_bytes)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("share", [2, 0.5])
def test_us_dates_are_never_read_as_other_days_and_are_told(
    tmp_path: Path, suffix: str, share: float
) -> None:
    dataset = loaded(tmp_path, US, suffix, share)
    profile = profile_dataset(dataset, "y")
    (told,) = [text for text in profile.warnings if "not dates" in text]

    assert set(dataset.frame["day"]) <= set(US)
    assert profile.split_column is None
    assert f"holds {dataset.frame['day'][0]!r}, which is no ISO 8601 date" in told
    assert 'column_types {"day": "temporal"}' in told
    assert load_head(f"t.{suffix}", roots=[tmp_path], n_rows=5).frame["day"].to_list() == US[:5]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (["2024-01-02", " 2024-1-3"], [date(2024, 1, 2), date(2024, 1, 3)]),
        (
            ["2024-01-02", "2024-01-02 10:00:00"],
            [datetime(2024, 1, 2), datetime(2024, 1, 2, 10)],
        ),
        (
            ["2024-01-02T10:00:00.25+02:00", "2024-01-02T10:00Z", "2024-01-02 10:00:00+00"],
            [datetime(2024, 1, 2, 8, 0, 0, 250_000), *[datetime(2024, 1, 2, 10)] * 2],
        ),
        (["2024-01-02T10:00", ""], [datetime(2024, 1, 2, 10), None]),
    ],
)
def test_iso_dates_and_times_are_read_in_utc(
    tmp_path: Path, suffix: str, texts: list[str], read: list[object]
) -> None:
    if suffix == "jsonl":
        texts = [text or None for text in texts]  # type: ignore[misc]
    dataset = loaded(tmp_path, texts, suffix)

    assert dataset.frame["day"].to_list() == read
    assert dataset.notices == ()


def test_times_of_day_in_a_csv_are_seconds(tmp_path: Path) -> None:
    assert loaded(tmp_path, ["09:30", "09:30:01.5"]).frame["day"].to_list() == [34200, 34201.5]


@pytest.mark.parametrize("form", ["01/01/2024", "1.1.2024", "Jan 1, 2024", "2024/01/01", "never"])
def test_a_first_value_that_is_no_iso_date_does_not_stop_the_file(
    tmp_path: Path, form: str
) -> None:
    dataset = loaded(tmp_path, [form, *ISO])

    assert dataset.frame["day"].to_list() == [form, *ISO]
    (told,) = dataset.notices
    assert told.startswith(f"'day' is text, not dates: row 1 of 121 rows holds {form!r}")


def test_a_date_that_does_not_exist_is_told_by_profile_and_training(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, ONE_WRONG)
    table = prepare_table(TrainingSpec(source="t.csv", target="y"), dataset)

    for told in (profile_dataset(dataset, "y").warnings, table.warnings):
        (said,) = [text for text in told if "not dates" in text]
        assert "row 71 of 120 rows holds '2019-11-31'" in said
        assert "other rows" not in said


def test_a_time_column_with_such_a_date_is_refused_with_its_row_and_value(tmp_path: Path) -> None:
    spec = TrainingSpec(source="t.csv", target="y", time_column="day")

    with pytest.raises(InvalidInputError, match="row 71 of 120 complete rows holds '2019-11-31'"):
        prepare_table(spec, loaded(tmp_path, ONE_WRONG))


def test_following_the_advice_reads_dates(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, [day for day in ONE_WRONG if day != "2019-11-31"])

    assert dataset.frame["day"].dtype == pl.Date
    assert dataset.notices == ()


def test_who_says_how_a_column_is_read_is_told_nothing(tmp_path: Path) -> None:
    loaded(tmp_path, US)
    dataset = load_dataset(
        "t.csv", roots=[tmp_path], max_bytes=10**6, column_types={"day": "categorical"}
    )

    assert dataset.notices == ()


@pytest.mark.parametrize(
    "values",
    [
        ISO,
        ["a1", "b2"] * 10,
        ["1.2.3", "1.2.4"] * 10,
        ["10-20", "20-30"] * 10,
        ["low", "high", "2024-01-01"] * 10,
        ["march 3 steps", "may 5 go"] * 10,
        [None, None],
        [],
    ],
)
def test_other_text_is_left_alone(values: Sequence[str | None]) -> None:
    assert date_text_notice(pl.Series("x", values, pl.String)) == ""


def test_a_table_without_a_file_trains_with_its_time_column_as_before() -> None:
    days = pl.Series(ISO).str.to_date()
    frame = pl.DataFrame({"day": days, "x": range(120), "y": [float(i) for i in range(120)]})
    spec = TrainingSpec(source="t.csv", target="y", time_column="day")

    assert prepare_table(spec, dataset_of(frame)).times is not None
