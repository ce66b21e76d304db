"""Data sets by name or by path, as Polars frames with the digest of their content."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.builtin import BUILTIN_DATASETS, BuiltinDataset
from ml_orchestrator.datasets.date_texts import date_text_notice
from ml_orchestrator.datasets.formats import code_columns, parse, parse_head
from ml_orchestrator.datasets.kinds import large_integer_notices, normalise
from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.paths import read_allowed_file, resolve_allowed
from ml_orchestrator.datasets.retyping import retyped
from ml_orchestrator.datasets.sampling import draw_sample
from ml_orchestrator.datasets.source_names import BUILTIN_PREFIX
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


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table, where it came from and the SHA-256 of its content (hexadecimal).

    The digest is over the bytes of the file, or the canonical content of a built-in; ``notices``
    say what a reader must know of how the table was made, one sentence each. ``n_drawn_from`` is
    how many rows there are where the table is a sample of them.
    """

    source: str
    frame: pl.DataFrame
    digest: str
    description: str
    default_target: str | None
    notices: tuple[str, ...] = ()
    n_drawn_from: int | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the whole, of which the table may hold a part."""
        return self.frame.height if self.n_drawn_from is None else self.n_drawn_from


def load_dataset(
    source: str,
    *,
    roots: Sequence[Path],
    max_bytes: int,
    column_types: Mapping[str, ColumnType] = MappingProxyType({}),
) -> Dataset:
    """Return the data set that ``source`` names: ``builtin:NAME`` or the path of a file.

    Args:
        source: relative paths start at the first root; no address is ever fetched.
        roots: folders that files may be read from, links followed first.
        max_bytes: largest file that is read whole; of a larger one as many rows are drawn as
            make up this much of it, and a notice says so.
        column_types: columns that are read otherwise than their values tell, or ignored.

    Raises:
        NotFoundError: no such built-in or file.
        PathNotAllowedError: the path leaves the roots.
        InvalidInputError: unreadable, without rows or without columns, or a column is not of
            the type it shall be.
        UnavailableError: a built-in needs a library that is not installed.
    """
    dataset = _load(source, roots, max_bytes, column_types)
    open_to_us = dataset.frame.drop(column_types, strict=False)
    rows = "rows" if dataset.n_drawn_from is None else "rows drawn"
    told = (date_text_notice(column, rows=rows) for column in open_to_us.get_columns())
    notices = (*dataset.notices, *filter(None, told))
    return replace(dataset, frame=retyped(dataset.frame, column_types), notices=notices)


def _load(
    source: str, roots: Sequence[Path], max_bytes: int, column_types: Collection[str]
) -> Dataset:
    if source.startswith(BUILTIN_PREFIX):
        return _load_builtin(source)
    path = resolve_allowed(source, roots)
    codes = [name for name in code_columns(path) if name not in column_types]
    as_text = {*column_types, *codes}
    if path.stat().st_size > max_bytes:
        dataset = _load_sample(source, path, max_bytes, as_text)
        return replace(dataset, notices=(*dataset.notices, *_of_codes(codes)))
    content = read_allowed_file(path, max_bytes=max_bytes)
    frame, notices = _normalised(parse(path, content, as_text=as_text), as_text)
    _check_shape(source, frame)
    digest = hashlib.sha256(content).hexdigest()
    told = (*_of_codes(codes), *notices)
    return Dataset(source, frame, digest, f"File {path.name}.", None, told)


def _normalised(
    raw: pl.DataFrame, as_text: Collection[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    frame = normalise(raw, as_text=as_text)
    return frame, tuple(large_integer_notices(raw.drop(as_text, strict=False), frame))


def _of_codes(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{name!r} is read as text: it has digits that begin with 0, as codes do. column_types "
        "reads it as numeric."
        for name in names
    )


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


def load_head(
    source: str,
    *,
    roots: Sequence[Path],
    n_rows: int,
    column_types: Mapping[str, ColumnType] = MappingProxyType({}),
) -> Dataset:
    """Return the first rows of a file, read without the rest; the digest is empty.

    Types are those of these rows: later ones may turn whole numbers into others, or into text.

    Args:
        source: path of a data file.
        roots: as for `load_dataset`.
        n_rows: rows at most.
        column_types: as for `load_dataset`.

    Raises:
        NotFoundError, PathNotAllowedError, InvalidInputError: as for `load_dataset`, where the
            head shows it.
    """
    path = resolve_allowed(source, roots)
    codes = code_columns(path)
    as_text = {*column_types, *codes}
    frame = normalise(parse_head(path, n_rows, as_text=as_text), as_text=as_text)
    _check_shape(source, frame)
    frame = retyped(frame, column_types)
    return Dataset(source, frame, "", f"Head of file {path.name}.", None)


def columns_as_arrays(frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """Return each column as a NumPy array of shape ``(n_rows,)``.

    Numbers, booleans and times (seconds since 1970, UTC) are float64 with NaN for missing;
    lists of numbers of one length are vectors, shape ``(n_rows, n_dimensions)``, with rows of NaN
    for missing; everything else is an object array of text with None for missing.
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
    if (vectors := _as_vectors(column)) is not None:
        return vectors
    texts = [None if value is None else str(value) for value in column.to_list()]
    return np.array(texts, dtype=object)


def _as_vectors(column: pl.Series) -> NDArray[np.float64] | None:
    """Return a column of lists or arrays as vectors; None if it holds anything else."""
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        column, dtype = column.arr.to_list(), pl.List(dtype.inner)
    if not isinstance(dtype, pl.List) or not pl.Series(dtype=dtype.inner).dtype.is_numeric():
        return None
    lengths = column.list.len().drop_nulls().unique().to_list()
    if len(lengths) != 1 or lengths[0] == 0:
        return None
    known = column.is_not_null().to_numpy()
    vectors = np.full((len(column), lengths[0]), np.nan)
    numbers = column.drop_nulls().explode(empty_as_null=False).cast(pl.Float64)
    vectors[known] = numbers.fill_null(float("nan")).to_numpy().reshape(-1, lengths[0])
    return vectors


def _load_sample(source: str, path: Path, max_bytes: int, as_text: Collection[str]) -> Dataset:
    sample = draw_sample(path, max_bytes=max_bytes, as_text=as_text)
    frame, told = _normalised(sample.frame, as_text)
    _check_shape(source, frame)
    notice = (
        f"{path.name} is larger than {max_bytes:,} bytes (ML_ORCHESTRATOR_MAX_DATA_BYTES): "
        f"{frame.height:,} of its {sample.n_rows:,} rows, drawn at random, are used."
    )
    about = f"File {path.name}."
    return Dataset(source, frame, sample.digest, about, None, (notice, *told), sample.n_rows)


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
