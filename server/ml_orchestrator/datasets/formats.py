"""The file formats of data sets: CSV, JSON lines, Parquet and Arrow, whole or their head."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import polars as pl

from ml_orchestrator.datasets.line_faults import csv_fault, json_lines_fault
from ml_orchestrator.errors import InvalidInputError

__all__ = ["TEXT_LINES", "code_columns", "parse", "parse_head", "reading", "separator_of"]

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
TEXT_LINES = (".jsonl", ".ndjson")
HEAD_BYTES = 1_000_000  # of a text whose header and first bytes are looked at
SEPARATORS = (",", ";", "\t", "|")
CODE_ROWS = 10_000  # of a text that are looked at for codes
_MAYBE_CODE = re.compile(rb'(?:^|[,;\t|\n"])0\d+(?=[,;\t|\r\n"])')
Read: TypeAlias = "Callable[[Path | io.BytesIO, str, int | None, Collection[str]], pl.DataFrame]"


def parse(path: Path, content: bytes, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return the table in ``content``, in the format that the name of ``path`` says.

    Columns ``as_text`` of a CSV keep their letters: 01234 is no number then.

    Raises:
        InvalidInputError: it is not such a table; the message says what the reader found.
    """
    entry = _format(path)
    with reading(path):
        return entry.read(io.BytesIO(content), _hint(path, entry, content), None, as_text)


def parse_head(path: Path, n_rows: int, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return the first rows of a file, read without the rest.

    Raises:
        InvalidInputError: its head is not such a table.
    """
    entry = _format(path)
    with reading(path):
        return entry.read(path, _hint(path, entry, _start(path, entry)), n_rows, as_text)


def code_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a CSV file that are codes made of digits, such as 01234.

    Those are columns with nothing but digits, of which some begin with a zero that a number
    would lose, in the first ``CODE_ROWS`` rows. Other formats say what is a number.

    Raises:
        InvalidInputError: its head is not such a table.
    """
    entry = _format(path)
    start = _start(path, entry)
    if entry.read is not _read_csv or not _MAYBE_CODE.search(start):
        return ()
    with reading(path):
        texts = pl.read_csv(
            path,
            separator=_hint(path, entry, start),
            infer_schema=False,
            n_rows=CODE_ROWS,
            null_values=MISSING,
            glob=False,
        )
    return tuple(column.name for column in texts.get_columns() if _are_codes(column.drop_nulls()))


def _are_codes(texts: pl.Series) -> bool:
    return bool(texts.str.contains(r"^\d+$").all() and texts.str.contains(r"^0\d").any())


def separator_of(path: Path) -> str:
    """Return what separates the values of a CSV file; nothing for other formats.

    Raises:
        InvalidInputError: its header repeats a name, or it is not text.
    """
    entry = _format(path)
    return _hint(path, entry, _start(path, entry))


@dataclass(frozen=True, slots=True)
class _Format:
    read: Read
    is_text: bool
    advice: str


def _format(path: Path) -> _Format:
    return _FORMATS[path.suffix.lower()]


def _start(path: Path, entry: _Format) -> bytes:
    if not entry.is_text:
        return b""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise InvalidInputError with what the reader found where a file is no such table."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        reason = str(error).strip().splitlines()
        said = _line_fault(path) or (reason[0] if reason else repr(error))
        raise InvalidInputError(
            f"{path.name} cannot be read as {path.suffix[1:]}: {said}. "
            f"Check that it is not cut off{_format(path).advice}."
        ) from error


def _line_fault(path: Path) -> str | None:
    """Return what is wrong with the first faulty line of a text; None where none is found."""
    entry = _format(path)
    try:
        if entry.read is _read_csv:
            return csv_fault(path, _hint(path, entry, _start(path, entry)))
        return json_lines_fault(path) if entry.is_text else None
    except (OSError, csv.Error):
        return None  # what the reader said stands


def _hint(path: Path, entry: _Format, content: bytes) -> str:
    """Return the separator of a CSV file, after a look at its names; else nothing."""
    if entry.is_text and b"\x00" in content:
        raise InvalidInputError(f"{path.name} is not text: it holds NUL bytes.")
    if entry.read is not _read_csv:
        return ""
    header = content.split(b"\n", 1)[0].decode("utf-8", errors="replace").rstrip("\r")
    separator = max(SEPARATORS, key=header.count)
    names = _names_in(path, header.removeprefix("\ufeff"), separator)
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise InvalidInputError(
            f"{path.name} repeats the column {repeated[0]!r}; names must differ."
        )
    return separator


def _names_in(path: Path, header: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=separator), [])
    except csv.Error as error:
        raise InvalidInputError(
            f"{path.name} has a header that cannot be read ({error}). End lines with LF or CRLF."
        ) from error


def _read_csv(
    source: Path | io.BytesIO, separator: str, n_rows: int | None, as_text: Collection[str]
) -> pl.DataFrame:
    return pl.read_csv(
        source,
        separator=separator,
        try_parse_dates=True,
        infer_schema_length=n_rows,
        n_rows=n_rows,
        null_values=MISSING,
        schema_overrides=dict.fromkeys(as_text, pl.String),
        glob=False,
    )


def _read_json_lines(
    source: Path | io.BytesIO, _: str, n_rows: int | None, as_text: Collection[str]
) -> pl.DataFrame:
    if isinstance(source, Path):
        with source.open("rb") as file:
            source = io.BytesIO(b"".join(islice(file, n_rows)))
    frame = pl.read_ndjson(source, infer_schema_length=n_rows, n_rows=n_rows)
    return frame.select([c if c.name in as_text else _with_dates(c) for c in frame.get_columns()])


def _read_parquet(
    source: Path | io.BytesIO, _: str, n_rows: int | None, __: Collection[str]
) -> pl.DataFrame:
    return pl.read_parquet(source, n_rows=n_rows, glob=False)


def _read_arrow(
    source: Path | io.BytesIO, _: str, n_rows: int | None, __: Collection[str]
) -> pl.DataFrame:
    if isinstance(source, Path):
        return pl.scan_ipc(source, n_rows=n_rows, glob=False).collect()
    return pl.read_ipc(source, n_rows=n_rows)


def _with_dates(column: pl.Series) -> pl.Series:
    """Return a column of text as dates or times if each of its values is one, as in a CSV."""
    if column.dtype != pl.String or column.null_count() == len(column):
        return column
    for read in (column.str.to_date, column.str.to_datetime):
        try:
            return read(strict=True)
        except pl.exceptions.PolarsError:
            continue
    return column


_TEXT_ADVICE = ", is UTF-8 and has one header line"
_FORMATS = {
    ".csv": _Format(_read_csv, True, _TEXT_ADVICE),
    ".tsv": _Format(_read_csv, True, _TEXT_ADVICE),
    ".jsonl": _Format(_read_json_lines, True, ", is UTF-8 and has one object a line"),
    ".ndjson": _Format(_read_json_lines, True, ", is UTF-8 and has one object a line"),
    ".parquet": _Format(_read_parquet, False, ""),
    ".arrow": _Format(_read_arrow, False, " and is an Arrow file, not a stream"),
    ".feather": _Format(_read_arrow, False, " and is Feather version 2"),
}
