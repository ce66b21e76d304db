"""Whether a table is one or several time series, so that a row's past may tell of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.series import spacing

__all__ = ["PastColumns", "past_columns", "with_past"]

MIN_ROWS = 40
MIN_ROWS_PER_SERIES = 8  # on average
REGULAR_SHARE = 0.7  # of the gaps, which lie within half the usual spacing of it
LEAST_GAP = 0.5  # of the usual spacing: rows that lie closer would be known before their time
OWN_SPACING = 0.1  # of the usual one, or a multiple of it, that a series may differ by
MOST_LABELS = 5  # classes whose occurrence is looked back at


@dataclass(frozen=True, slots=True)
class PastColumns:
    """What is looked back at: see ``PastValues`` for the fields.

    ``step`` is the usual time between neighbours, in units of ``times_of``.
    """

    time: str
    target: str
    series: str | None
    labels: tuple[str, ...]
    horizon: int
    step: float

    @property
    def raw(self) -> tuple[str, ...]:
        """Columns that are read for the past alone."""
        return (self.target, *([] if self.series is None else [self.series]))


def past_columns(
    spec: TrainingSpec,
    frame: pl.DataFrame,
    target: str,
    task: Task,
    classes: tuple[str, ...],
    times: NDArray[np.float64] | None,
) -> tuple[PastColumns | None, list[str]]:
    """Return what can be looked back at, or None, and a sentence on why not.

    Series have a time of their own for each row and a usual spacing: 40 rows at least, eight a
    series, seven in ten gaps between neighbours within half the median of it, and none below half.
    A log of events has no such spacing; what was the target of the event before may not be known
    at the next. Where one series is spaced otherwise, a step would not be as long for it.
    """
    if times is None or spec.time_column is None or spec.horizon == 0:
        return None, []
    codes = _series_codes(frame, spec.group_column)
    if why := _why_not(codes, times, spec.time_column, spec.group_column):
        return None, [f"The past of {target!r} is not used: {why}."]
    is_dated = task == "classification" and frame[target].dtype.is_temporal()
    if is_dated or len(frame) < MIN_ROWS:
        return None, []
    labels = classes[1 : 1 + MOST_LABELS] if len(classes) == 2 else classes[:MOST_LABELS]
    found = PastColumns(
        time=spec.time_column,
        target=target,
        series=spec.group_column,
        labels=labels,
        horizon=spec.horizon,
        step=spacing(codes, times),
    )
    return found, []


def with_past(features: pd.DataFrame, frame: pl.DataFrame, past: PastColumns) -> pd.DataFrame:
    """Return the features with the columns that are read for the past beside them."""
    more = pl.DataFrame([frame[name] for name in past.raw]).to_pandas()
    return pd.concat([features, more], axis=1)


def _series_codes(frame: pl.DataFrame, column: str | None) -> NDArray[np.int64]:
    if column is None:
        return np.zeros(len(frame), dtype=np.int64)
    codes: NDArray[Any] = frame[column].rank("dense").cast(pl.Int64).to_numpy()
    return codes


def _why_not(
    codes: NDArray[np.int64], times: NDArray[np.float64], time: str, series: str | None
) -> str:
    order = np.lexsort((times, codes))
    gaps = np.diff(times[order])[np.diff(codes[order]) == 0]
    if (gaps == 0).any():
        known = f"two rows of one {series!r} have the same {time!r}"
        return known if series else f"times of {time!r} repeat; group_column may name the series"
    if len(codes) < MIN_ROWS_PER_SERIES * len(np.unique(codes)):
        return f"the series of {series!r} have fewer than {MIN_ROWS_PER_SERIES} rows on average"
    step = spacing(codes, times)
    if np.mean(np.abs(gaps / step - 1) < 0.5) < REGULAR_SHARE:
        return f"the times of {time!r} have no usual spacing"
    if gaps.min(initial=step) < LEAST_GAP * step:
        return f"some times of {time!r} lie closer than half the usual spacing"
    if _has_other_spacing(codes[order], times[order], step):
        return f"the series of {series!r} differ in their usual spacing"
    return ""


def _has_other_spacing(codes: NDArray[np.int64], times: NDArray[np.float64], step: float) -> bool:
    """Return whether a series of eight rows has a spacing that is no multiple of the step."""
    gaps = pl.DataFrame({"series": codes, "gap": times}).select(
        "series", pl.col("gap").diff().over("series") / step
    )
    own = gaps.group_by("series").agg(pl.col("gap").quantile(0.5, "lower"), n=pl.len())
    found = own.filter(pl.col("n") >= MIN_ROWS_PER_SERIES)["gap"].to_numpy()
    multiples = np.maximum(np.rint(found), 1)
    return bool((np.abs(found / multiples - 1) > OWN_SPACING).any())
