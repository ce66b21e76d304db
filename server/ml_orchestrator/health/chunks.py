"""Rows cut into chunks, in order of time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.options import CHUNK_PATTERN, CHUNK_WORDS

__all__ = ["Chunk", "Timeline", "cut", "ordered"]

USUAL_CHUNKS = 10
LEAST_USUAL_ROWS = 50
MOST_CHUNKS = 500
HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
MONDAY_S = 4 * DAY_S  # 1970 began on a Thursday
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each row was, shape ``(n_rows,)``; NaN where it is not known.

    Seconds since 1970 in UTC where ``is_time``, else any number that rises with time.
    """

    values: NDArray[np.float64]
    is_time: bool

    def label(self, value: float) -> str:
        """Return a moment as people write it."""
        if not self.is_time:
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        moment = datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
        return moment.removesuffix("+00:00").removesuffix("T00:00:00")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that belong together, by their place in the table, and their first and last moment."""

    start: str
    end: str
    rows: Rows


def cut(n_rows: int, timeline: Timeline | None, chunk: str | None) -> list[Chunk]:
    """Return the rows in chunks, earliest first; rows without a moment are left out.

    Args:
        n_rows: rows of the table.
        timeline: when each row was; None takes the rows as they stand, counted from 1.
        chunk: ``500rows``, or by calendar and UTC ``6h``, ``1d``, ``1w`` (from Monday) or ``1mo``.
            A short last chunk of rows joins the one before. None cuts ten equal parts, fewer
            where they would have less than 50 rows.

    Raises:
        InvalidInputError: ``chunk`` is none of these, needs a column of times, or makes more
            than 500 chunks; or no row has a moment.
    """
    order, known = ordered(n_rows, timeline)
    parts = list(_parts(order, known, chunk))
    if len(parts) > MOST_CHUNKS:
        raise InvalidInputError(
            f"chunk {chunk!r} makes {len(parts):,} chunks; at most {MOST_CHUNKS} are compared. "
            "Choose longer ones."
        )
    return [
        Chunk(known.label(known.values[part[0]]), known.label(known.values[part[-1]]), part)
        for part in parts
    ]


def ordered(n_rows: int, timeline: Timeline | None) -> tuple[Rows, Timeline]:
    """Return the rows that have a moment, earliest first, and when each row was.

    Raises:
        InvalidInputError: no row has a moment.
    """
    known = timeline or Timeline(np.arange(1.0, n_rows + 1), is_time=False)
    order = np.argsort(known.values, kind="stable")
    order = order[np.isfinite(known.values[order])]
    if not order.size:
        raise InvalidInputError("No row has a value in the time column, so none can be placed.")
    return order, known


def _parts(order: Rows, timeline: Timeline, chunk: str | None) -> Iterator[Rows]:
    if chunk is None:
        n_parts = max(1, min(USUAL_CHUNKS, order.size // LEAST_USUAL_ROWS))
        yield from np.array_split(order, n_parts)
        return
    if not re.fullmatch(CHUNK_PATTERN, chunk):
        raise InvalidInputError(f"A chunk {CHUNK_WORDS}; found {chunk!r}.")
    size, unit = int(re.match(r"\d+", chunk)[0]), chunk.lstrip("0123456789")  # type: ignore[index]
    if unit == "rows":
        n_parts = max(1, round(order.size / size))
        yield from (order[i * size : (i + 1) * size] for i in range(n_parts - 1))
        yield order[(n_parts - 1) * size :]
        return
    if not timeline.is_time:
        raise InvalidInputError(
            f"chunk {chunk!r} needs a column of dates or times; for numbers, or no column at all, "
            "cut by rows, such as 500rows."
        )
    period = _period(timeline.values[order], size, unit)
    yield from np.split(order, np.flatnonzero(np.diff(period)) + 1)


def _period(seconds: NDArray[np.float64], size: int, unit: str) -> NDArray[np.int64]:
    if unit == "mo":
        months = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
        return months // size
    length = {"h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}[unit] * size
    offset = MONDAY_S if unit == "w" else 0.0
    return np.floor((seconds - offset) / length).astype(np.int64)
