"""A picture of a data set."""

import io
import math

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ml_orchestrator.datasets.models import ColumnProfile, DatasetProfile
from ml_orchestrator.datasets.sources import Dataset, columns_as_arrays

__all__ = ["profile_plot"]

MAX_PANELS = 24
N_ACROSS = 4
COLOUR = "#4c72b0"
TARGET_COLOUR = "#c44e52"
N_BINS = 30
LARGEST_DRAWN = 1e150  # an axis calculates with more than the value itself


def profile_plot(dataset: Dataset, profile: DatasetProfile) -> bytes:
    """Return a PNG of missing values and of each column's values, at most 24 columns.

    The target comes first and in another colour.
    """
    shown = _shown_columns(profile)
    n_down = math.ceil((len(shown) + 1) / N_ACROSS)
    figure = Figure(figsize=(3.4 * N_ACROSS, 2.4 * n_down), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_down, N_ACROSS, squeeze=False).ravel()
    _draw_missing(panels[0], profile)
    for axes, column in zip(panels[1:], shown, strict=False):
        colour = TARGET_COLOUR if column.name == profile.target else COLOUR
        _draw_column(axes, dataset.frame[column.name], column, colour)
    for axes in panels[len(shown) + 1 :]:
        axes.set_axis_off()
    figure.suptitle(
        f"{_label(profile.source)}: {profile.n_rows:,} rows, {profile.n_columns} columns"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def _shown_columns(profile: DatasetProfile) -> list[ColumnProfile]:
    usable = [c for c in profile.columns if c.kind not in ("empty", "unsupported")]
    return sorted(usable, key=lambda c: c.name != profile.target)[: MAX_PANELS - 1]


def _draw_missing(axes: Axes, profile: DatasetProfile) -> None:
    worst = sorted(profile.columns, key=lambda c: -c.missing_share)[:8]
    axes.barh(range(len(worst)), [100 * c.missing_share for c in worst], color=COLOUR)
    axes.set_yticks(range(len(worst)), [_label(c.name) for c in worst])
    axes.set_title("missing, %", fontsize=9)
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)


def _draw_column(axes: Axes, values: pl.Series, column: ColumnProfile, colour: str) -> None:
    axes.set_title(_label(column.name), fontsize=9)
    axes.tick_params(labelsize=7)
    if column.top:
        axes.barh(
            [_label(t.value) for t in column.top], [t.count for t in column.top], color=colour
        )
        axes.invert_yaxis()
        return
    numbers = columns_as_arrays(values.drop_nulls().to_frame())[column.name]
    if column.kind == "temporal":
        numbers = 1970 + numbers / (365.2425 * 86_400)  # years read better than seconds
    spread = numbers[abs(numbers) < math.inf].clip(-LARGEST_DRAWN, LARGEST_DRAWN)
    axes.hist(spread, bins=_edges(spread).tolist(), color=colour)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of 30 bins, or of one around values too close together for as many."""
    if not values.size:
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low <= 2 * N_BINS * np.spacing(size):
        reach = max(0.5, size * 1e-9)
        return np.array([low - reach, high + reach])
    return np.linspace(low, high, N_BINS + 1)


def _label(text: str) -> str:
    """Return at most 18 characters, with the sign that starts a formula made harmless."""
    short = text if len(text) <= 18 else text[:17] + "…"
    return "".join(c if c.isprintable() else " " for c in short).replace("$", r"\$")
