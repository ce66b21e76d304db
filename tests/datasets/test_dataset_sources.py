"""Reading data sets: what is refused, and that what is read is what was written."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets.sources import (
    BUILTIN_DATASETS,
    Dataset,
    columns_as_arrays,
    load_dataset,
    load_head,
)
from ml_orchestrator.errors import (
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    PathNotAllowedError,
    UnavailableError,
)

MAX_BYTES = 1_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def load(source: str, root: Path) -> Dataset:
    return load_dataset(source, roots=[root], max_bytes=MAX_BYTES)


def test_a_csv_is_read_with_its_types_and_the_digest_of_its_bytes(root: Path) -> None:
    text = "day,price,name,ok\n2024-01-02,1.5,a,true\n2024-01-03,NA,,false\n"
    (root / "t.csv").write_text(text)

    dataset = load("t.csv", root)

    assert dataset.frame.to_dict(as_series=False) == {
        "day": [date(2024, 1, 2), date(2024, 1, 3)],
        "price": [1.5, None],
        "name": ["a", None],
        "ok": [True, False],
    }
    assert dataset.digest == hashlib.sha256(text.encode()).hexdigest()
    assert dataset.default_target is None


def test_every_format_of_one_table_gives_the_same_frame(root: Path) -> None:
    frame = BUILTIN_DATASETS["customer_churn"].load().head(200)
    frame.write_parquet(root / "t.parquet")
    frame.write_csv(root / "t.csv")
    frame.write_ndjson(root / "t.jsonl")
    frame.write_ipc(root / "t.arrow")
    frame.write_ipc(root / "t.feather", compression="lz4")

    read = {path.suffix: load(path.name, root).frame for path in root.iterdir()}

    assert read.keys() == {".parquet", ".csv", ".jsonl", ".arrow", ".feather"}
    assert all(other.equals(read[".parquet"]) for other in read.values())


def test_text_of_json_lines_becomes_dates_only_if_all_of_it_is(root: Path) -> None:
    rows = [
        {"day": "2024-01-02", "at": "2024-01-02T03:04:05", "word": "2024-01-02", "none": None},
        {"day": None, "at": "2024-01-03T00:00:00", "word": "soon", "none": None},
    ]
    (root / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))

    assert load("t.jsonl", root).frame.to_dict(as_series=False) == {
        "day": [date(2024, 1, 2), None],
        "at": [datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 1, 3)],
        "word": ["2024-01-02", "soon"],
        "none": [None, None],
    }


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_the_head_is_the_first_rows_of_the_whole(root: Path, suffix: str) -> None:
    frame = pl.DataFrame({"a": range(50), "b": [f"b{i}" for i in range(50)]})
    write: dict[str, Any] = {"csv": frame.write_csv, "jsonl": frame.write_ndjson}
    write |= {"parquet": frame.write_parquet, "arrow": frame.write_ipc}
    name = f"t[1]*.{suffix}"  # no pattern
    write[suffix](root / name)

    head = load_head(name, roots=[root], n_rows=7).frame

    assert head.equals(load(name, root).frame.head(7))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_recognised(root: Path, separator: str) -> None:
    (root / "t.csv").write_text(separator.join("ab") + "\n" + separator.join("12") + "\n")

    assert load("t.csv", root).frame.to_dict(as_series=False) == {"a": [1], "b": [2]}


def test_rare_types_become_the_few_that_training_knows(root: Path) -> None:
    zoned = datetime(2024, 1, 1, 12, tzinfo=UTC)
    pl.DataFrame(
        {
            "nan": [float("nan"), 1.0],
            "wait": [timedelta(seconds=90), None],
            "at": [zoned, None],
            "category": pl.Series(["a", "b"], dtype=pl.Categorical),
        }
    ).write_parquet(root / "t.parquet")

    assert load("t.parquet", root).frame.to_dict(as_series=False) == {
        "nan": [None, 1.0],
        "wait": [90.0, None],
        "at": [datetime(2024, 1, 1, 12), None],
        "category": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("absent.csv", NotFoundError, "In that folder: binary.csv"),
        ("../outside.csv", PathNotAllowedError, "roots"),
        ("sub/../good.csv", PathNotAllowedError, "without '..'"),
        ("/etc/passwd", PathNotAllowedError, "outside the allowed roots"),
        ("link.csv", PathNotAllowedError, "outside the allowed roots"),
        ("loop.csv", OrchestratorError, "loop.csv"),
        ("sub", InvalidInputError, "not a regular file"),
        ("pipe.csv", InvalidInputError, "not a regular file"),
        ("model.pkl", InvalidInputError, ".csv, .tsv, .jsonl"),
        ("", InvalidInputError, "empty"),
        ("good.csv\x00.parquet", InvalidInputError, "control character"),
        ("good\n.csv", InvalidInputError, "control character"),
        ("a" * 5_000 + ".csv", InvalidInputError, "longer than"),
        ("a" * 300 + ".csv", OrchestratorError, "aaa"),
        ("http://example.org/t.csv", InvalidInputError, "no address is fetched"),
        ("s3://bucket/t.parquet", InvalidInputError, "no address is fetched"),
        ("file:///etc/passwd", InvalidInputError, "no address is fetched"),
        ("builtin:nonsense", NotFoundError, "known: breast_cancer"),
        ("zero.csv", InvalidInputError, "is empty"),
        ("header.csv", InvalidInputError, "0 rows"),
        ("binary.csv", InvalidInputError, "NUL bytes"),
        ("latin.csv", InvalidInputError, "line 2 is not UTF-8"),
        ("ragged.csv", InvalidInputError, "cannot be read as csv: line 3 has 4 values and the"),
        ("twice.csv", InvalidInputError, "repeats the column 'a'"),
        ("garbage.parquet", InvalidInputError, "cannot be read as parquet"),
        ("garbage.jsonl", InvalidInputError, "one object a line"),
        ("garbage.arrow", InvalidInputError, "cannot be read as arrow"),
        ("torn.parquet", InvalidInputError, "cannot be read as parquet"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    root: Path, source: str, error: type[Exception], said: str
) -> None:
    _fill(root)

    with pytest.raises(error) as caught:
        load(source, root)

    assert said in str(caught.value)


def _fill(root: Path) -> None:
    (root / "sub").mkdir()
    (root.parent / "outside.csv").write_text("a\n1\n")
    (root / "link.csv").symlink_to(root.parent / "outside.csv")
    (root / "loop.csv").symlink_to(root / "loop.csv")
    os.mkfifo(root / "pipe.csv")
    texts = {"good": "a\n1\n", "zero": "", "header": "a,b\n", "twice": "a,a\n1,2\n"}
    for name, text in texts.items():
        (root / f"{name}.csv").write_text(text)
    (root / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (root / "binary.csv").write_bytes(b"a,b\n1,\x00\x01\x02\n")
    (root / "latin.csv").write_bytes(b"name\nJos\xe9\n")
    (root / "model.pkl").write_bytes(b"x")
    pl.DataFrame({"a": range(1_000)}).write_parquet(root / "torn.parquet")
    whole = (root / "torn.parquet").read_bytes()
    (root / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    (root / "garbage.parquet").write_bytes(b"PAR1" + bytes(range(256)) * 4 + b"PAR1")
    (root / "garbage.arrow").write_bytes(b"ARROW1\x00\x00" + bytes(range(256)))
    (root / "garbage.jsonl").write_text('{"a": 1}\n{"a": \n')


def test_a_file_in_a_second_root_is_read_by_its_full_path(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "t.csv").write_text("a\n1\n")

    dataset = load_dataset(str(other / "t.csv"), roots=[root, other], max_bytes=MAX_BYTES)

    assert dataset.frame.height == 1


def test_without_roots_no_file_is_read(root: Path) -> None:
    (root / "t.csv").write_text("a\n1\n")

    with pytest.raises(PathNotAllowedError, match="none"):
        load_dataset(str(root / "t.csv"), roots=[], max_bytes=MAX_BYTES)


@pytest.mark.parametrize("name", list(BUILTIN_DATASETS))
def test_every_builtin_has_its_target_and_a_stable_digest(name: str) -> None:
    entry = BUILTIN_DATASETS[name]

    first, second = (load_dataset(f"builtin:{name}", roots=[], max_bytes=1) for _ in range(2))

    assert first.default_target == entry.default_target
    assert entry.default_target in first.frame.columns
    assert first.digest == second.digest
    assert entry.source in first.description


def test_the_digest_of_a_builtin_follows_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_dataset("builtin:iris", roots=[], max_bytes=1)
    changed = before.frame.with_columns(pl.col("sepal_length") + 1e-9)
    entry = BUILTIN_DATASETS["iris"]
    monkeypatch.setattr(BUILTIN_DATASETS, "_entries", {"iris": _with_load(entry, lambda: changed)})

    assert load_dataset("builtin:iris", roots=[], max_bytes=1).digest != before.digest


def _with_load(entry: object, load: object) -> object:
    import dataclasses

    return dataclasses.replace(entry, load=load)  # type: ignore[type-var]


def test_randhie_is_the_whole_experiment() -> None:
    frame = load_dataset("builtin:randhie", roots=[], max_bytes=1).frame

    assert frame.shape == (20_190, 10)


def test_sunspot_lags_look_back_and_never_ahead() -> None:
    frame = load_dataset("builtin:sunspots", roots=[], max_bytes=1).frame

    assert frame["activity_lag_1"].to_list()[1:] == frame["activity"].to_list()[:-1]
    assert frame["activity_lag_11"].to_list()[11:] == frame["activity"].to_list()[:-11]


def test_a_builtin_without_its_library_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.datasets.randhie", None)

    with pytest.raises(UnavailableError, match=r"ml-orchestrator-mcp\[datasets\]"):
        load_dataset("builtin:randhie", roots=[], max_bytes=1)


def test_listing_the_builtins_imports_no_library_of_theirs() -> None:
    code = (
        "import json, sys\n"
        "from ml_orchestrator.datasets.sources import BUILTIN_DATASETS\n"
        "list(BUILTIN_DATASETS)\n"
        "print(json.dumps([n for n in ('sklearn', 'statsmodels', 'pandas') if n in sys.modules]))"
    )

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert json.loads(found.stdout) == []


def test_columns_become_arrays_with_seconds_for_times() -> None:
    frame = pl.DataFrame(
        {
            "n": [1, None],
            "b": [True, None],
            "d": [date(1970, 1, 2), None],
            "t": [datetime(1970, 1, 1, 0, 0, 1, 500_000), None],
            "s": ["x", None],
        }
    )

    arrays = columns_as_arrays(frame)

    assert {name: array.dtype.kind for name, array in arrays.items()} == dict(
        n="f", b="f", d="f", t="f", s="O"
    )
    assert [arrays[name][0] for name in "nbdts"] == [1.0, 1.0, 86_400.0, 1.5, "x"]
    assert arrays["s"][1] is None
    assert all(np.isnan(arrays[name][1]) for name in "nbdt")


@pytest.mark.parametrize("max_bytes", [10_000_000, 500])
def test_codes_that_begin_with_a_zero_keep_it(tmp_path: Path, max_bytes: int) -> None:
    rows = "".join(f"{i % 100:05d},{i},{i / 2},0{i % 9}/01/2026\n" for i in range(200))
    (tmp_path / "homes.csv").write_text(f"zip,n,half,day\n{rows}")
    dataset = load_dataset("homes.csv", roots=[tmp_path], max_bytes=max_bytes)
    told = [said for said in dataset.notices if "read as text" in said]

    assert dataset.frame["zip"].str.len_chars().unique().to_list() == [5]
    assert dataset.frame["n"].dtype.is_integer()
    assert told == [
        "'zip' is read as text: it has digits that begin with 0, as codes do. column_types "
        "reads it as numeric."
    ]
    head = load_head("homes.csv", roots=[tmp_path], n_rows=5)
    assert head.frame["zip"].to_list() == ["00000", "00001", "00002", "00003", "00004"]


def test_codes_are_numbers_where_a_person_says_so(tmp_path: Path) -> None:
    (tmp_path / "homes.csv").write_text("zip,n\n01234,1\n98765,2\n")
    dataset = load_dataset(
        "homes.csv", roots=[tmp_path], max_bytes=10_000, column_types={"zip": "numeric"}
    )
    assert dataset.frame["zip"].to_list() == [1234.0, 98765.0]
    assert dataset.notices == ()


def test_numbers_stay_numbers_where_not_all_are_codes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n0,00.5,-01\n10,1.5,2\n")
    dataset = load_dataset("t.csv", roots=[tmp_path], max_bytes=10_000)
    assert all(dtype.is_numeric() for dtype in dataset.frame.dtypes)
    assert dataset.notices == ()
