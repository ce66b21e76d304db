"""The header of a CSV file: what separates its values, and the names as a person reads them."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ml_orchestrator.errors import InvalidInputError

__all__ = ["NO_HEADER", "Header", "read_header"]

SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Header:
    """What separates the values of a CSV file, and its names, quotes resolved."""

    separator: str
    names: tuple[str, ...]


NO_HEADER = Header("", ())


def read_header(file_name: str, start: bytes) -> Header:
    """Return the header at the start of a CSV file.

    The separator is the one, outside of quotes, by which the second line has as many values as
    the first has names; of several, or where none is so, the one that gives the most names.

    Raises:
        InvalidInputError: a name comes twice, or the header cannot be read.
    """
    text = start.decode("utf-8", errors="replace").removeprefix("\ufeff")
    lines = _lines(text)
    separator = max(SEPARATORS, key=lambda each: _fit(lines, each))
    try:
        names = next(iter(_records(lines, separator, 1)), [])
    except csv.Error as error:
        raise InvalidInputError(
            f"{file_name} has a header that cannot be read ({error}). End lines with LF or CRLF."
        ) from error
    _refuse_repeated(file_name, names)
    return Header(separator, tuple(names))


def _lines(text: str) -> list[str]:
    """Return the lines with their LF; blank ones before the header are passed over."""
    return [f"{line}\n" for line in text.lstrip("\r\n").split("\n")]


def _records(lines: Sequence[str], separator: str, n_records: int) -> list[list[str]]:
    filled = (record for record in csv.reader(lines, delimiter=separator) if record)
    return list(islice(filled, n_records))


def _fit(lines: Sequence[str], separator: str) -> tuple[bool, int]:
    """Return whether the first two lines have as many values, and how many names there are."""
    try:
        n_values = [len(record) for record in _records(lines, separator, 2)]
    except csv.Error:
        return False, lines[0].count(separator)
    agree = len(n_values) == 2 and n_values[0] == n_values[1] > 1
    return agree, n_values[0] if n_values else 0


def _refuse_repeated(file_name: str, names: Sequence[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InvalidInputError(
            f"{file_name} repeats the column {repeated[0]!r}; names must differ."
        )
