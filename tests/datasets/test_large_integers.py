"""Whole numbers that 64 bits do not hold are labels or amounts, and nothing falls over them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets.leakage import find_leakage
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import prepare_table

N_ROWS = 150
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=N_ROWS)
HASHES = [2 * int(value) for value in _RNG.integers(2**62, 2**63, N_ROWS)]
AMOUNTS = [int(value * 1e20) for value in X]


def loaded(folder: Path, suffix: str, column_types: Any = None, **columns: Any) -> Dataset:
    path = folder / f"t.{suffix}"
    frame = pl.DataFrame({"x": X, **columns})
    write: dict[str, Any] = {"csv": frame.write_csv, "parquet": frame.write_parquet}
    write[suffix](path)
    return load_dataset(path.name, roots=[folder], max_bytes=10**9, column_types=column_types or {})


def integers(name: str, values: list[int], dtype: Any = pl.Int128) -> pl.Series:
    return pl.Series(name, values, dtype)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("name", "values", "dtype", "read"),
    [
        ("hash", HASHES, pl.UInt64, pl.Float64),
        ("amount", AMOUNTS, pl.Int128, pl.Float64),
        ("user_id", HASHES, pl.UInt64, pl.String),
        ("number", [2**64 + i for i in range(N_ROWS)], pl.Int128, pl.String),
    ],
)
def test_such_a_column_is_profiled_and_learnt_from_and_told(
    tmp_path: Path, suffix: str, name: str, values: list[int], dtype: Any, read: Any
) -> None:
    dataset = loaded(tmp_path, suffix, **{name: integers(name, values, dtype)}, y=X > 0)
    table = prepare_table(TrainingSpec(source="t", target="y"), dataset)
    (told,) = [text for text in profile_dataset(dataset, "y").warnings if "64 bits" in text]

    assert dataset.frame[name].dtype == read
    assert told in table.warnings
    assert f"{name!r} holds whole numbers beyond 64 bits, such as {max(values)}" in told
    assert ("read as amounts" if read == pl.Float64 else "read as labels") in told


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("base", [2**63, 2**64 + 5, 2**100])
def test_two_classes_beyond_64_bits_stay_two(tmp_path: Path, suffix: str, base: int) -> None:
    y = integers("y", [base + int(value > 0) for value in X])
    dataset = loaded(tmp_path, suffix, y=y)
    table = prepare_table(TrainingSpec(source="t", target="y"), dataset)

    assert table.classes == (str(base), str(base + 1))
    assert profile_dataset(dataset, "y").suggested_task == "classification"


def test_such_numbers_keep_their_digits_where_a_person_wants_labels(tmp_path: Path) -> None:
    hashes = integers("hash", HASHES, pl.UInt64)
    dataset = loaded(tmp_path, "parquet", {"hash": "categorical"}, hash=hashes, y=X)

    assert dataset.frame["hash"].to_list() == [*map(str, HASHES)]
    assert dataset.notices == ()


def test_such_types_with_small_numbers_are_whole_numbers(tmp_path: Path) -> None:
    small = {
        "a": integers("a", [*range(N_ROWS)]),
        "b": integers("b", [2**63 - 1] * N_ROWS, pl.UInt64),
    }
    dataset = loaded(tmp_path, "parquet", **small)

    assert all(dataset.frame[name].dtype.is_integer() for name in small)
    assert dataset.frame["a"].dtype == pl.Int64
    assert dataset.notices == ()


def test_classes_that_floats_take_for_one_are_kept_apart_in_the_search_for_leaks() -> None:
    classes = pl.Series([2**60 + int(each) for each in _RNG.integers(0, 2, 400)])
    frame = pl.DataFrame({"noise": _RNG.normal(size=400), "copy": classes, "y": classes})

    assert [each.column for each in find_leakage(frame, "y", "classification")] == ["copy"]
