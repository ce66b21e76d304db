"""Where a text file stops being a table: the first line that does not fit, in words."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

__all__ = ["csv_fault", "json_lines_fault"]

MOST_SHOWN = 60  # characters of a line
MOST_BYTES = 200_000_000  # of a file that are looked through: seconds


def csv_fault(path: Path, separator: str) -> str | None:
    """Return what is wrong with the first line that is; None if nothing is found in its
    first 200 MB.

    Looked for are bytes that are no UTF-8, more values than the header has names, and quotes
    that do not end. Lines are counted from 1, the header's.
    """
    with path.open("rb") as file:
        reader = csv.reader(_decoded(_first(file)), delimiter=separator, strict=True)
        header: list[str] | None = None
        at = 1
        try:
            for row in reader:
                if header is None:
                    header = row
                elif len(row) > len(header):
                    return (
                        f"line {at} has {len(row):,} values and the header {len(header):,} names: "
                        f"{_shown(separator.join(row))}"
                    )
                at = reader.line_num + 1
        except UnicodeDecodeError as error:
            found = repr(error.object[:MOST_SHOWN])
            return f"line {reader.line_num + 1} is not UTF-8: {_shown(found)}"
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                return None  # stricter than what reads the table
            return f"line {at}: a quote begins there that does not end"
    return None


def json_lines_fault(path: Path) -> str | None:
    """Return what is wrong with the first line that is no JSON object.

    None if all of the first 200 MB are.
    """
    with path.open("rb") as file:
        for number, line in enumerate(_first(file), start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(_text(line))
            except json.JSONDecodeError as error:
                return f"line {number} is not JSON ({error.msg}): {_shown(_text(line))}"
            except (ValueError, RecursionError):  # a number or a nesting beyond all measure
                return f"line {number} cannot be read: {_shown(_text(line))}"
            if not isinstance(found, dict):
                return f"line {number} is no JSON object: {_shown(_text(line))}"
    return None


def _first(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of the part that is looked through: minutes are too long for an error."""
    n_left = MOST_BYTES
    while line := file.readline(n_left + 1):
        n_left -= len(line)
        if n_left < 0:
            return
        yield line


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        yield line.decode("utf-8-sig")


def _text(line: bytes) -> str:
    return line.decode(errors="replace").strip()


def _shown(text: str) -> str:
    kept = "".join(sign if sign.isprintable() else "?" for sign in text[:MOST_SHOWN])
    return kept if len(text) <= MOST_SHOWN else f"{kept}\u2026"
