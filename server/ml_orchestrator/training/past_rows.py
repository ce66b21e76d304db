"""Rows of a frame as arrays: of which series each is, when it is, and what it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_orchestrator.training.dates import elapsed_days
from ml_orchestrator.training.raw_numbers import as_numbers

__all__ = ["SeriesRows", "read_rows"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Rows of series, ``n_rows`` in each array.

    Attributes:
        series: names, the same for all rows of one series.
        times: numbers, or days since 2000; NaN where the time is missing.
        values: shape ``(n_rows, n_channels + n_numbers)``; NaN where one is missing. Channels are
            the target, or whether it is the one or the other class.
    """

    series: NDArray[np.str_]
    times: Numbers
    values: Numbers

    @property
    def codes(self) -> NDArray[np.int64]:
        """A number for each series, by row."""
        codes: NDArray[np.int64] = np.unique(self.series, return_inverse=True)[1].astype(np.int64)
        return codes

    def take(self, chosen: NDArray[Any]) -> "SeriesRows":
        """Return some of the rows, by number or by truth."""
        return SeriesRows(self.series[chosen], self.times[chosen], self.values[chosen])

    def then(self, later: "SeriesRows") -> "SeriesRows":
        """Return these rows and others after them."""
        return SeriesRows(
            np.concatenate([self.series, later.series]),
            np.concatenate([self.times, later.times]),
            np.concatenate([self.values, later.values]),
        )


def read_rows(
    frame: pd.DataFrame,
    *,
    time: str,
    target: str,
    series: str | None,
    labels: Sequence[str],
    numbers: Sequence[str],
) -> SeriesRows:
    """Return the rows of a frame; arguments as of ``PastValues``, ``numbers`` are columns.

    Raises:
        InvalidInputError: a time is neither missing nor a date, where times are dates.
    """
    moments = frame[time]
    if pd.api.types.is_numeric_dtype(moments):
        times = moments.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        times = elapsed_days(moments)
    names = _labels(frame[series]) if series is not None else np.full(len(frame), "", np.str_)
    columns = [*_channels(frame[target], labels), *(as_numbers(frame[name]) for name in numbers)]
    return SeriesRows(names, times, np.column_stack(columns))


def _channels(target: "pd.Series[Any]", labels: Sequence[str]) -> Iterator[Numbers]:
    if not labels:
        yield as_numbers(target)
        return
    is_missing = target.isna().to_numpy()
    texts = _labels(target)
    for label in labels:
        yield np.where(is_missing, np.nan, (texts == label).astype(np.float64))


def _labels(column: "pd.Series[Any]") -> NDArray[np.str_]:
    return np.array([_as_label(value) for value in column], dtype=np.str_)


def _as_label(value: object) -> str:
    """Return a class or the name of a series as text; 1.0, a number beside missing ones, is 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
