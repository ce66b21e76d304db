"""The file formats of data sets: CSV, JSON lines, Parquet and Arrow, whole or their head."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import polars as pl

from ml_orchestrator.datasets.csv_header import NO_HEADER, Header, read_header
from ml_orchestrator.datasets.date_texts import as_dates, as_times_of_day
from ml_orchestrator.datasets.line_faults import csv_fault, json_lines_fault
from ml_orchestrator.errors import InvalidInputError

__all__ = ["TEXT_LINES", "code_columns", "parse", "parse_head", "reading", "scan_csv"]

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
TEXT_LINES = (".jsonl", ".ndjson")
HEAD_BYTES = 1_000_000  # of a text whose header and first bytes are looked at
CODE_ROWS = 10_000  # of a text that are looked at for codes
_MAYBE_CODE = re.compile(rb'(?:^|[,;\t|\n"])0\d+(?=[,;\t|\r\n"])')
Read: TypeAlias = "Callable[[Path | io.BytesIO, Header, int | None, Collection[str]], pl.DataFrame]"


def parse(path: Path, content: bytes, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return the table in ``content``, in the format that the name of ``path`` says.

    Columns ``as_text`` of a CSV keep their letters: 01234 is no number then.

    Raises:
        InvalidInputError: it is not such a table; the message says what the reader found.
    """
    entry = _format(path)
    with reading(path):
        return entry.read(io.BytesIO(content), _header(path, entry, content), None, as_text)


def parse_head(path: Path, n_rows: int, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return the first rows of a file, read without the rest.

    Raises:
        InvalidInputError: its head is not such a table.
    """
    entry = _format(path)
    with reading(path):
        return entry.read(path, _header(path, entry, _start(path, entry)), n_rows, as_text)


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
    header = _header(path, entry, start)
    with reading(path):
        texts = pl.read_csv(
            path,
            separator=header.separator,
            infer_schema=False,
            n_rows=CODE_ROWS,
            null_values=MISSING,
            glob=False,
        )
    columns = texts.rename(_names(texts.columns, header)).get_columns()
    return tuple(column.name for column in columns if _are_codes(column.drop_nulls()))


def _are_codes(texts: pl.Series) -> bool:
    return bool(texts.str.contains(r"^\d+$").all() and texts.str.contains(r"^0\d").any())


def scan_csv(path: Path) -> tuple[pl.LazyFrame, str]:
    """Return a CSV file as columns of text, not read yet, and what separates its values.

    Raises:
        InvalidInputError: its header repeats a name, or it is not text.
    """
    entry = _format(path)
    header = _header(path, entry, _start(path, entry))
    table = pl.scan_csv(path, separator=header.separator, infer_schema=False, glob=False)
    return table.rename(_names(table.collect_schema().names(), header)), header.separator


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
            return csv_fault(path, _header(path, entry, _start(path, entry)).separator)
        return json_lines_fault(path) if entry.is_text else None
    except (OSError, csv.Error):
        return None  # what the reader said stands


def _header(path: Path, entry: _Format, content: bytes) -> Header:
    """Return the header of a CSV file, after a look at its names; else none."""
    if entry.is_text and b"\x00" in content:
        raise InvalidInputError(f"{path.name} is not text: it holds NUL bytes.")
    if entry.read is not _read_csv:
        return NO_HEADER
    return read_header(path.name, content[:HEAD_BYTES])


def _names(found: Sequence[str], header: Header) -> dict[str, str]:
    """Return names as Polars (2.1) reads them, with doubled quotes, to those that are meant."""
    if len(found) != len(header.names):
        return {}
    pairs = zip(found, header.names, strict=True)
    return {name: meant for name, meant in pairs if '"' in name and name != meant}


def _read_csv(
    source: Path | io.BytesIO, header: Header, n_rows: int | None, as_text: Collection[str]
) -> pl.DataFrame:
    doubled = {name: name.replace('"', '""') for name in as_text if '"' in name}
    frame = pl.read_csv(
        source,
        separator=header.separator,
        infer_schema_length=n_rows,
        n_rows=n_rows,
        null_values=MISSING,
        schema_overrides=dict.fromkeys([*as_text, *doubled.values()], pl.String),
        glob=False,
    )
    frame = frame.rename(_names(frame.columns, header))
    return _with_dates(frame, as_text, lambda column: as_times_of_day(as_dates(column)))


def _read_json_lines(
    source: Path | io.BytesIO, _: Header, n_rows: int | None, as_text: Collection[str]
) -> pl.DataFrame:
    if isinstance(source, Path):
        with source.open("rb") as file:
            source = io.BytesIO(b"".join(islice(file, n_rows)))
    frame = pl.read_ndjson(source, infer_schema_length=n_rows, n_rows=n_rows)
    return _with_dates(frame, as_text, as_dates)


def _read_parquet(
    source: Path | io.BytesIO, _: Header, n_rows: int | None, __: Collection[str]
) -> pl.DataFrame:
    return pl.read_parquet(source, n_rows=n_rows, glob=False)


def _read_arrow(
    source: Path | io.BytesIO, _: Header, n_rows: int | None, __: Collection[str]
) -> pl.DataFrame:
    if isinstance(source, Path):
        return pl.scan_ipc(source, n_rows=n_rows, glob=False).collect()
    return pl.read_ipc(source, n_rows=n_rows)


def _with_dates(
    frame: pl.DataFrame, as_text: Collection[str], read: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    columns = frame.get_columns()
    return frame.with_columns([read(each) for each in columns if each.name not in as_text])


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
