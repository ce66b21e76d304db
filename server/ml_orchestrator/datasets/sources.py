"""Data sets by name or by path, as Polars frames with the digest of their content."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.builtin import BUILTIN_DATASETS, BuiltinDataset
from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.paths import check_size, read_allowed_file, resolve_allowed
from ml_orchestrator.errors import InvalidInputError

__all__ = [
    "BUILTIN_DATASETS",
    "BUILTIN_PREFIX",
    "BuiltinDataset",
    "Dataset",
    "columns_as_arrays",
    "file_size_bytes",
    "load_dataset",
    "load_head",
]

BUILTIN_PREFIX = "builtin:"
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
HEAD_BYTES = 1_000_000  # of a text whose header and first bytes are looked at
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table, where it came from and the SHA-256 of its content (hexadecimal).

    The digest is over the bytes of the file, or the canonical content of a built-in.
    """

    source: str
    frame: pl.DataFrame
    digest: str
    description: str
    default_target: str | None


def load_dataset(source: str, *, roots: Sequence[Path], max_bytes: int) -> Dataset:
    """Return the data set that ``source`` names: ``builtin:NAME`` or a CSV or Parquet path.

    Args:
        source: relative paths start at the first root; no address is ever fetched.
        roots: folders that files may be read from, links followed first.
        max_bytes: largest file that is read.

    Raises:
        NotFoundError: no such built-in or file.
        PathNotAllowedError: the path leaves the roots.
        InvalidInputError: unreadable, too large, without rows or without columns.
        UnavailableError: a built-in needs a library that is not installed.
    """
    if source.startswith(BUILTIN_PREFIX):
        return _load_builtin(source)
    path = resolve_allowed(source, roots)
    content = read_allowed_file(path, max_bytes=max_bytes)
    frame = normalise(_parse(path, content))
    _check_shape(source, frame)
    digest = hashlib.sha256(content).hexdigest()
    return Dataset(source, frame, digest, f"File {path.name}.", None)


def file_size_bytes(source: str, *, roots: Sequence[Path]) -> int:
    """Return the size of the file that ``source`` names; 0 for a built-in.

    Raises:
        NotFoundError: no such file.
        PathNotAllowedError: the path leaves the roots.
        InvalidInputError: it is not the path of a data file.
    """
    if source.startswith(BUILTIN_PREFIX):
        return 0
    return resolve_allowed(source, roots).stat().st_size


def load_head(source: str, *, roots: Sequence[Path], max_bytes: int, n_rows: int) -> Dataset:
    """Return the first rows of a file, read without the rest; the digest is empty.

    Types are those of these rows: later ones may turn whole numbers into others, or into text.

    Args:
        source: path of a CSV or Parquet file.
        roots: as for `load_dataset`.
        max_bytes: largest file that is accepted, though only its head is read.
        n_rows: rows at most.

    Raises:
        NotFoundError, PathNotAllowedError, InvalidInputError: as for `load_dataset`, where the
            head shows it.
    """
    path = resolve_allowed(source, roots)
    check_size(path, path.stat().st_size, max_bytes=max_bytes)
    frame = normalise(_parse_head(path, n_rows))
    _check_shape(source, frame)
    return Dataset(source, frame, "", f"Head of file {path.name}.", None)


def columns_as_arrays(frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """Return each column as a NumPy array of shape ``(n_rows,)``.

    Numbers, booleans and times (seconds since 1970, UTC) are float64 with NaN for missing;
    everything else is an object array of text with None for missing.
    """
    return {column.name: _as_array(column) for column in frame.get_columns()}


def _check_shape(source: str, frame: pl.DataFrame) -> None:
    if frame.width == 0 or frame.height == 0:
        raise InvalidInputError(
            f"{source!r} has {frame.height} rows and {frame.width} columns; both are needed."
        )


def _as_array(column: pl.Series) -> NDArray[Any]:
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    texts = [None if value is None else str(value) for value in column.to_list()]
    return np.array(texts, dtype=object)


def _load_builtin(source: str) -> Dataset:
    entry = BUILTIN_DATASETS[source.removeprefix(BUILTIN_PREFIX)]
    frame = normalise(entry.load())
    about = f"{entry.description} Source: {entry.source}"
    return Dataset(source, frame, _content_digest(frame), about, entry.default_target)


def _content_digest(frame: pl.DataFrame) -> str:
    digest = hashlib.sha256()
    for column in frame.get_columns():
        values = columns_as_arrays(column.to_frame())[column.name]
        is_text = values.dtype == object
        content = repr(values.tolist()).encode() if is_text else values.astype("<f8").tobytes()
        digest.update(f"{column.name}\n{column.dtype}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _parse(path: Path, content: bytes) -> pl.DataFrame:
    with _readable(path):
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(io.BytesIO(content))
        return _parse_text(path.name, content)


def _parse_head(path: Path, n_rows: int) -> pl.DataFrame:
    with _readable(path):
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, n_rows=n_rows)
        with path.open("rb") as file:
            start = file.read(HEAD_BYTES)
        return _read_text(path, _separator(path.name, start), n_rows)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        reason = str(error).strip().splitlines()
        raise InvalidInputError(
            f"{path.name} cannot be read as {path.suffix[1:]}: {reason[0] if reason else error!r}. "
            "Check that it is not cut off, is UTF-8 and has one header line."
        ) from error


def _parse_text(name: str, content: bytes) -> pl.DataFrame:
    return _read_text(io.BytesIO(content), _separator(name, content), None)


def _separator(name: str, content: bytes) -> str:
    """Return the separator of the header, after a look at its names."""
    if b"\x00" in content:
        raise InvalidInputError(f"{name} is not text: it holds NUL bytes.")
    header = content.split(b"\n", 1)[0].decode("utf-8", errors="replace").rstrip("\r")
    separator = max(SEPARATORS, key=header.count)
    names = next(csv.reader([header.removeprefix("\ufeff")], delimiter=separator), [])
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise InvalidInputError(f"{name} repeats the column {repeated[0]!r}; names must differ.")
    return separator


def _read_text(source: Path | io.BytesIO, separator: str, n_rows: int | None) -> pl.DataFrame:
    return pl.read_csv(
        source,
        separator=separator,
        try_parse_dates=True,
        infer_schema_length=n_rows,
        n_rows=n_rows,
        null_values=MISSING,
    )
