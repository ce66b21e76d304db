"""Numbers out of dates, as a step of a saved pipeline."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ml_orchestrator.errors import InvalidInputError

__all__ = ["DateParts"]

FIELDS = ("year", "month", "day", "day_of_week", "hour")
PARTS = (*FIELDS, "elapsed_days")
EPOCH = pd.Timestamp("2000-01-01", tz="UTC")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns each date column into year, month, day, day of week, hour and days since 2000.

    Takes a frame of timestamps, dates or ISO 8601 text (naive means UTC); gives floats of shape
    ``(n_rows, 6 * n_columns)``, NaN where the value is missing. Learns nothing but the column
    names.
    """

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
        return np.column_stack([_parts(X[name]) for name in self.feature_names_in_])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return ``<column>_<part>`` for every output column."""
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in PARTS]
        return np.asarray(names, dtype=object)


def _parts(column: "pd.Series[Any]") -> NDArray[np.float64]:
    is_time = pd.api.types.is_datetime64_any_dtype(column)
    raw = column if is_time else column.astype(object).where(column.notna(), None).map(_as_text)
    times = pd.to_datetime(raw, errors="coerce", utc=True, format=None if is_time else "ISO8601")
    _refuse_others(raw, times)
    elapsed = (times - EPOCH) / pd.Timedelta(days=1)
    fields = [getattr(times.dt, field) for field in FIELDS]
    return np.column_stack([f.to_numpy(dtype=float, na_value=np.nan) for f in [*fields, elapsed]])


def _refuse_others(raw: "pd.Series[Any]", times: "pd.Series[Any]") -> None:
    wrong = raw[raw.notna() & times.isna()]
    if len(wrong):
        raise InvalidInputError(
            f"Column {str(raw.name)!r}: {str(wrong.iloc[0])[:60]!r} is not a date; send ISO 8601, "
            "such as 2024-01-31 or 2024-01-31T12:00:00, or null if it is missing."
        )


def _as_text(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value
