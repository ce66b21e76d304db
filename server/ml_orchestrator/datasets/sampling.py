"""A sample of a file that is too large to be read whole, in little memory."""

import hashlib
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.formats import TEXT_LINES, parse, reading, scan_csv
from ml_orchestrator.errors import InvalidInputError

__all__ = ["Sample", "draw_sample"]

Rows = NDArray[np.int64]
Choose = Callable[[int], Rows]

SEED = 0
BATCH_ROWS = 20_000
LEAST_DRAWN = 100


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows drawn from a file, in the file's order.

    ``digest`` is the SHA-256 of the whole file (hexadecimal), ``n_rows`` the rows it has.
    """

    frame: pl.DataFrame
    digest: str
    n_rows: int


def draw_sample(path: Path, *, max_bytes: int, as_text: Collection[str] = ()) -> Sample:
    """Return as many rows of a file as make up ``max_bytes`` of it, each row as likely.

    Beside the rows that are kept and their numbers, memory holds a few batches of rows; some
    650 MB of a CSV, whatever its size (Polars 2.1 on two cores).

    The file is read three times, in pieces: for its digest, to count its rows and to take those
    drawn. The same file gives the same rows. Types are read from the rows drawn.

    Args:
        path: a resolved data file that is larger than ``max_bytes``.
        max_bytes: share of the file that is kept, in bytes of the file.
        as_text: as for `parse`.

    Raises:
        InvalidInputError: it is not a table, or it changed while it was read.
    """
    before = path.stat()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    take = _take_lines if path.suffix.lower() in TEXT_LINES else _take_rows
    with reading(path):
        share = min(1.0, max_bytes / before.st_size)
        frame, n_rows = take(path, lambda n: _drawn(n, share), as_text)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InvalidInputError(
            f"{path.name} changed while it was read. Write it elsewhere and move it into place, "
            "then ask again."
        )
    return Sample(frame, digest, n_rows)


def _drawn(n_rows: int, share: float) -> Rows:
    """Return the sorted numbers of the rows that are kept, at least one if there is one."""
    n_kept = min(n_rows, max(1, round(n_rows * share)))
    rng = np.random.default_rng(SEED)
    if n_kept > n_rows // 2:
        return np.sort(rng.choice(n_rows, size=n_kept, replace=False))
    kept: Rows = np.empty(0, dtype=np.int64)
    while kept.size < n_kept:  # first distinct of many draws: `choice` would number all rows
        drawn = np.concatenate([kept, rng.integers(n_rows, size=n_kept + LEAST_DRAWN)])
        _, first = np.unique(drawn, return_index=True)
        kept = drawn[np.sort(first)[:n_kept]]
    return np.sort(kept)


def _take_lines(path: Path, choose: Choose, as_text: Collection[str]) -> tuple[pl.DataFrame, int]:
    """Take lines of a text with one object a line; blank ones are no rows."""
    with path.open("rb") as file:
        n_rows = sum(1 for line in file if line.strip())
    wanted = iter(choose(n_rows).tolist())
    kept, row, following = io.BytesIO(), 0, next(wanted, None)
    with path.open("rb") as file:
        for line in file:
            if following is None:
                break
            if not line.strip():
                continue
            if row == following:
                kept.write(line.rstrip(b"\r\n") + b"\n")
                following = next(wanted, None)
            row += 1
    return parse(path, kept.getvalue(), as_text=as_text), n_rows


def _take_rows(path: Path, choose: Choose, as_text: Collection[str]) -> tuple[pl.DataFrame, int]:
    """Take rows of a table; those of a CSV become text again, so that types are read as usual.

    Rows are copied out of their batch at once: a selection of texts would keep it in memory.
    """
    table, separator = _scan(path)
    n_rows = int(table.select(pl.len()).collect(engine="streaming").item())
    kept = _selected(table, choose(n_rows))
    if not separator:
        return pl.concat([_copy(rows) for rows in kept]), n_rows
    text = io.StringIO()
    for number, rows in enumerate(kept):
        text.write(rows.write_csv(separator=separator, include_header=number == 0))
    return parse(path, text.getvalue().encode(), as_text=as_text), n_rows


def _selected(table: pl.LazyFrame, chosen: Rows) -> Iterator[pl.DataFrame]:
    """Yield the chosen rows of one batch after another, of no row first."""
    yield table.clear().collect()
    begin = 0
    for batch in table.collect_batches(chunk_size=BATCH_ROWS, lazy=True, engine="streaming"):
        first, last = np.searchsorted(chosen, (begin, begin + batch.height))
        yield batch[chosen[first:last] - begin]
        begin += batch.height


def _copy(rows: pl.DataFrame) -> pl.DataFrame:
    buffer = rows.write_ipc(None)
    buffer.seek(0)
    return pl.read_ipc(buffer)


def _scan(path: Path) -> tuple[pl.LazyFrame, str]:
    """Return the table, and of a CSV what separates its values."""
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow", ".feather"):
        scan = pl.scan_parquet if suffix == ".parquet" else pl.scan_ipc
        return scan(path, glob=False), ""
    return scan_csv(path)
