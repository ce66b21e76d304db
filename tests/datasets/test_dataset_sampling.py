"""Files that are larger than may be read whole."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets import sampling
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.errors import InvalidInputError

N_ROWS = 4_000
SUFFIXES = ["csv", "jsonl", "parquet", "arrow"]


def table() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    return pl.DataFrame(
        {
            "row": range(N_ROWS),
            "amount": rng.normal(size=N_ROWS),
            "note": [f'said "{i}",\nand left' for i in range(N_ROWS)],
            "day": [date(2024, 1, 1 + i % 28) for i in range(N_ROWS)],
        }
    )


def write(frame: pl.DataFrame, path: Path) -> Path:
    writers: dict[str, Any] = {".csv": frame.write_csv, ".jsonl": frame.write_ndjson}
    writers |= {".parquet": frame.write_parquet, ".arrow": frame.write_ipc}
    writers[path.suffix](path)
    return path


def load_part(path: Path, share: float = 0.25) -> Dataset:
    max_bytes = int(path.stat().st_size * share)
    return load_dataset(path.name, roots=[path.parent], max_bytes=max_bytes)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_quarter_of_the_bytes_is_a_quarter_of_the_rows_as_the_whole_has_them(
    tmp_path: Path, suffix: str
) -> None:
    path = write(table(), tmp_path / f"t[1]*.{suffix}")
    whole = load_dataset(path.name, roots=[tmp_path], max_bytes=10**9)

    part = load_part(path)

    assert part.frame.height == pytest.approx(N_ROWS / 4, abs=2)
    assert part.frame.equals(whole.frame[part.frame["row"].to_list()])
    assert part.frame["row"].is_sorted()
    assert part.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_part_of_the_file_is_drawn_from(tmp_path: Path) -> None:
    part = load_part(write(table(), tmp_path / "t.csv"))

    by_tenth = np.bincount(part.frame["row"].to_numpy() * 10 // N_ROWS, minlength=10)

    # Each count is hypergeometric with mean 100 and standard deviation 8.2.
    assert np.all(abs(by_tenth - 100) < 5 * 8.2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_file_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    path = write(table(), tmp_path / f"t.{suffix}")

    assert load_part(path).frame.equals(load_part(path).frame)


def test_the_profile_says_that_rows_were_drawn(tmp_path: Path) -> None:
    part = load_part(write(table(), tmp_path / "t.parquet"))

    (notice, *_) = profile_dataset(part, None).warnings

    assert f"{part.frame.height:,} of its 4,000 rows, drawn at random" in notice
    assert "ML_ORCHESTRATOR_MAX_DATA_BYTES" in notice


def test_at_least_one_row_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 50)

    assert load_dataset("t.csv", roots=[tmp_path], max_bytes=1).frame.height == 1


def test_blank_lines_between_objects_are_no_rows(tmp_path: Path) -> None:
    lines = [json.dumps({"a": i}) for i in range(100)]
    (tmp_path / "t.jsonl").write_text("\r\n\n".join(lines))

    part = load_part(tmp_path / "t.jsonl", 0.5)

    assert part.frame.height == 50
    assert set(part.frame["a"].to_list()) <= set(range(100))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"a,b\n", "0 rows"),
        ("t.csv", b"a,a\n1,2\n", "repeats the column 'a'"),
        (
            "t.csv",
            b"a,b\n1,2\n" * 9 + b"1,2,3,4\n" * 90,
            "line 19 has 4 values and the header 2 names",
        ),
        ("t.csv", b"a\x00\n1\n", "NUL bytes"),
        ("t.jsonl", b"nothing of the kind\n" * 9, "cannot be read as jsonl: line 1 is not JSON"),
        ("t.jsonl", b"\n" * 9, "cannot be read as jsonl"),
        ("t.parquet", b"PAR1 and no more", "cannot be read as parquet"),
        ("t.arrow", b"ARROW1 and no more", "cannot be read as arrow"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInputError) as caught:
        load_dataset(name, roots=[tmp_path], max_bytes=1)

    assert said in str(caught.value)


def test_a_file_that_changes_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(table(), tmp_path / "t.jsonl")
    take = sampling._take_lines

    def take_and_append(*arguments: Any) -> Any:
        taken = take(*arguments)
        with path.open("a") as file:
            file.write('{"row": 0}\n')
        return taken

    monkeypatch.setattr(sampling, "_take_lines", take_and_append)
    with pytest.raises(InvalidInputError, match="changed while it was read"):
        load_part(path)
