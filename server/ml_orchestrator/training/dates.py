"""Numbers out of dates, as a step of a saved pipeline."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ml_orchestrator.errors import InvalidInputError

__all__ = ["DateParts", "elapsed_days"]

FIELDS = ("year", "month", "day", "day_of_week", "hour")
PARTS = (*FIELDS, "elapsed_days")
CYCLES = {"year": (365.2425, 2), "week": (7.0, 3), "day": (1.0, 2)}  # days, waves
WAVES = (
    "elapsed_days",
    *(
        f"{cycle}_{turn}_{wave}"
        for cycle, (_, n_waves) in CYCLES.items()
        for wave in range(1, n_waves + 1)
        for turn in ("sin", "cos")
    ),
)
EPOCH = pd.Timestamp("2000-01-01", tz="UTC")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns each date column into year, month, day, day of week, hour and days since 2000.

    Takes a frame of timestamps, dates or ISO 8601 text (naive means UTC); gives floats of shape
    ``(n_rows, 6 * n_columns)``, NaN where the value is missing. Learns nothing but the column
    names.

    With ``cyclic`` it gives 15 a column: days since 2000 and the place in the year, the week and
    the day as sines and cosines of one to three waves. That is for models that weigh columns, to
    which December must not be far from January. They can follow a trend by the days, which they
    could not if year and month, nearly the same in other numbers, shared its weight.
    """

    cyclic: bool = False  # what a file of an earlier release does not say

    def __init__(self, *, cyclic: bool = False) -> None:
        self.cyclic = cyclic

    def fit(self, X: pd.DataFrame, y: object = None) -> "DateParts":  # noqa: N803 scikit-learn's
        """Remember the column names."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return the parts, column by column.

        Raises:
            InvalidInputError: a value is neither missing nor a date.
        """
        return np.column_stack([_parts(X[name], self.cyclic) for name in self.feature_names_in_])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return ``<column>_<part>`` for every output column."""
        parts = WAVES if self.cyclic else PARTS
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in parts]
        return np.asarray(names, dtype=object)


def elapsed_days(column: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return the days since 1 January 2000, UTC, NaN where the value is missing.

    Raises:
        InvalidInputError: a value is neither missing nor a date.
    """
    return _days(_times(column))


def _times(column: "pd.Series[Any]") -> "pd.Series[Any]":
    is_time = pd.api.types.is_datetime64_any_dtype(column)
    raw = column if is_time else column.astype(object).where(column.notna(), None).map(_as_text)
    times = pd.to_datetime(raw, errors="coerce", utc=True, format=None if is_time else "ISO8601")
    _refuse_others(raw, times)
    return times


def _days(times: "pd.Series[Any]") -> NDArray[np.float64]:
    elapsed = (times - EPOCH) / pd.Timedelta(days=1)
    return np.asarray(elapsed.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)


def _parts(column: "pd.Series[Any]", cyclic: bool) -> NDArray[np.float64]:
    times = _times(column)
    days = _days(times)
    if cyclic:
        return np.column_stack([days, *_waves(days)])
    fields = [getattr(times.dt, field) for field in FIELDS]
    return np.column_stack([*(f.to_numpy(dtype=float, na_value=np.nan) for f in fields), days])


def _waves(days: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Give sines and cosines; day 0 is 1 January 2000, a Saturday, at midnight."""
    for length, n_waves in CYCLES.values():
        for wave in range(1, n_waves + 1):
            angle = 2 * np.pi * wave * np.mod(days, length) / length
            yield np.sin(angle)
            yield np.cos(angle)


def _refuse_others(raw: "pd.Series[Any]", times: "pd.Series[Any]") -> None:
    wrong = raw[raw.notna() & times.isna()]
    if len(wrong):
        raise InvalidInputError(
            f"Column {str(raw.name)!r}: {str(wrong.iloc[0])[:60]!r} is not a date; send ISO 8601, "
            "such as 2024-01-31 or 2024-01-31T12:00:00, or null if it is missing."
        )


def _as_text(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value
