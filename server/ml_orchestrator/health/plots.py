"""A picture of drift: both samples of each column, drawn over each other."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.choice import Pair
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.health.figures import as_png, named_places
from ml_orchestrator.health.models import ColumnDrift, ColumnKind, DriftOverTime, DriftReport
from ml_orchestrator.numerics.binning import category_counts

__all__ = ["drift_plot", "onset_plot"]

REFERENCE_COLOUR = "#7a8899"
CURRENT_COLOUR = "#d9622b"
QUIET_COLOUR = "#5b6470"
PANELS_PER_ROW = 3
MOST_BARS = 8
MOST_BINS = 40
LONGEST_LABEL = 18


def drift_plot(
    report: DriftReport,
    reference: Columns,
    current: Columns,
    *,
    max_columns: int = 12,
) -> bytes:
    """Return a PNG with one panel per column, clearest drift first.

    Numeric columns are histograms on common bins over the central 99 % of each sample, with
    dashed medians; rarer values are counted in the shares but not drawn. Categorical columns are
    bars of the shares that changed most, texts of the words whose share of texts did. Vectors are
    histograms along the line from one sample's mean to the other's. A filled marker says that the
    column drifted.

    Args:
        report: what `check_drift` returned for these two tables.
        reference: the table that was the reference.
        current: the table that was compared with it.
        max_columns: panels at most, from 1 to 60; the caption says how many columns there are.

    Raises:
        InvalidInputError: ``max_columns`` is out of range, or a table lacks a reported column.
    """
    if not 1 <= max_columns <= 60:
        raise InvalidInputError(f"max_columns must be from 1 to 60; found {max_columns}.")
    shown = report.columns[:max_columns]
    pairs = [_pair(drift.column, reference, current) for drift in shown]
    figure, panels = _canvas(len(shown))
    for panel, drift, pair in zip(panels, shown, pairs, strict=True):
        _DRAW[drift.kind](panel, pair, drift)
        _dress(panel, drift)
    _caption(figure, report, len(shown))
    return as_png(figure)


def onset_plot(report: DriftReport, over_time: DriftOverTime, *, max_columns: int = 30) -> bytes:
    """Return a PNG with a row per column and a field per chunk, filled where the column drifted.

    Columns that drifted first stand on top; above them runs the share of columns that drifted.

    Args:
        report: names the columns.
        over_time: what `drift_over_time` found for the same columns.
        max_columns: rows at most.
    """
    onset: dict[str, int] = {}
    for i, chunk in enumerate(over_time.chunks):
        for name in chunk.drifted_columns:
            onset.setdefault(name, i)
    n_chunks = len(over_time.chunks)
    names = sorted((c.column for c in report.columns), key=lambda n: onset.get(n, n_chunks))
    names = names[:max_columns]
    figure = Figure(figsize=(8, 2.4 + 0.24 * len(names)), layout="constrained")
    top, field = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 0.3 + 0.24 * len(names)])
    shares = [chunk.share_drifted for chunk in over_time.chunks]
    top.bar(np.arange(len(shares)) + 0.5, shares, width=0.9, color=CURRENT_COLOUR)
    top.set_ylim(0, 1)
    top.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    top.set_ylabel("drifted", fontsize=8)
    cells = [[name in chunk.drifted_columns for chunk in over_time.chunks] for name in names]
    colours = ListedColormap(["#eef0f2", CURRENT_COLOUR])
    field.pcolormesh(
        np.array(cells, dtype=float), cmap=colours, vmin=0, vmax=1, edgecolors="white",
        linewidth=1.5,
    )  # fmt: skip
    field.set_yticks(np.arange(len(names)) + 0.5, [_shortened(name) for name in names])
    field.invert_yaxis()
    shown = named_places(n_chunks)
    field.set_xticks(
        shown + 0.5, [over_time.chunks[i].start for i in shown], rotation=20, ha="right"
    )
    for panel in (top, field):
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8, colors=QUIET_COLOUR)
    title = "No chunk drifted" if over_time.since is None else f"Since {over_time.since}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    return as_png(figure)


def _pair(column: str, reference: Columns, current: Columns) -> Pair:
    for side, table in (("reference", reference), ("current", current)):
        if column not in table:
            raise InvalidInputError(
                f"The report has a column {column!r} that the {side} sample lacks; give the "
                "tables that the report was made from."
            )
    return Pair.read(column, reference, current)


def _canvas(n_panels: int) -> tuple[Figure, list[Axes]]:
    n_across = min(PANELS_PER_ROW, n_panels)
    n_down = math.ceil(n_panels / n_across)
    figure = Figure(
        figsize=(max(4.2 * n_across, 6.4), 2.7 * n_down + 1.0),
        layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08),
    )
    grid = figure.subplots(n_down, n_across, squeeze=False).ravel()
    for panel in grid[n_panels:]:
        panel.set_axis_off()
    return figure, list(grid[:n_panels])


def _draw_histogram(panel: Axes, pair: Pair, _: ColumnDrift) -> None:
    _draw_numbers(panel, pair.reference.values, pair.current.values)


def _draw_vectors(panel: Axes, pair: Pair, _: ColumnDrift) -> None:
    before, after = pair.reference.values, pair.current.values
    line = after.mean(axis=0) - before.mean(axis=0)
    line = line / (np.linalg.norm(line) or 1.0)
    _draw_numbers(panel, before @ line, after @ line)
    panel.set_xlabel("along the line between the means")


def _draw_numbers(panel: Axes, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
    edges = _edges(before, after)
    for values, colour in ((before, REFERENCE_COLOUR), (after, CURRENT_COLOUR)):
        shares = np.histogram(values, edges)[0] / values.size
        panel.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
        panel.stairs(shares, edges, color=colour, linewidth=1.3)
        panel.axvline(float(np.median(values)), color=colour, linewidth=1.1, linestyle=(0, (4, 2)))


def _edges(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    limits = _central_range(before), _central_range(after)
    low = min(limit[0] for limit in limits)
    high = max(limit[1] for limit in limits)
    size = max(abs(low), abs(high))
    if high - low <= 2 * MOST_BINS * np.spacing(size):
        reach = max(0.5, size * 1e-9)  # closer together than bins can be
        return np.array([low - reach, high + reach])
    if high - low < MOST_BINS and _is_whole(before) and _is_whole(after):
        return np.arange(low - 0.5, high + 1.0)
    n_bins = min(MOST_BINS, max(8, math.ceil(2 * min(before.size, after.size) ** (1 / 3))))
    return np.histogram_bin_edges([], bins=n_bins, range=(low, high))


def _central_range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.005, 0.995], method="inverted_cdf")
    return float(low), float(high)


def _is_whole(values: NDArray[np.float64]) -> bool:
    return np.array_equal(values, np.round(values))


def _draw_words(panel: Axes, _: Pair, drift: ColumnDrift) -> None:
    words = [] if drift.text is None else [*drift.text.came[:4], *drift.text.went[:4]]
    if not words:
        panel.text(0.5, 0.5, "no word changed", ha="center", transform=panel.transAxes)
        panel.set_yticks([])
        return
    rows = np.arange(len(words))
    before, after = ([getattr(w, f"{side}_share") for w in words] for side in _SIDES)
    _draw_pairs(panel, rows, before, after, [w.word for w in words])
    panel.set_xlabel("texts with the word")


def _draw_bars(panel: Axes, pair: Pair, _: ColumnDrift) -> None:
    names, counts = category_counts(pair.reference.values.tolist(), pair.current.values.tolist())
    before, after = counts.reference_shares, counts.current_shares
    largest = np.argsort(-np.abs(after - before), kind="stable")[:MOST_BARS]
    order = largest[np.argsort(-before[largest], kind="stable")]
    _draw_pairs(
        panel, np.arange(order.size), before[order], after[order], [str(names[i]) for i in order]
    )
    if order.size < len(names):
        panel.set_xlabel(f"the {order.size} largest changes of {len(names)} categories")


def _draw_pairs(
    panel: Axes, rows: NDArray[Any], before: Any, after: Any, names: Sequence[str]
) -> None:
    panel.barh(rows - 0.2, before, height=0.38, color=REFERENCE_COLOUR)
    panel.barh(rows + 0.2, after, height=0.38, color=CURRENT_COLOUR)
    panel.set_yticks(rows, [_shortened(name) for name in names])
    panel.invert_yaxis()


_SIDES = ("reference", "current")
_DRAW: Mapping[ColumnKind, Callable[[Axes, Pair, ColumnDrift], None]] = {
    "numeric": _draw_histogram,
    "categorical": _draw_bars,
    "text": _draw_words,
    "vectors": _draw_vectors,
}


def _dress(panel: Axes, drift: ColumnDrift) -> None:
    marker, colour = ("\u25cf", CURRENT_COLOUR) if drift.is_drifted else ("\u25cb", QUIET_COLOUR)
    panel.set_title(
        f"{marker} {_shortened(drift.column, 30)}", loc="left", color=colour, fontweight="bold"
    )
    panel.set_title(_evidence(drift), loc="right", fontsize=8, color=QUIET_COLOUR)
    is_histogram = drift.kind in ("numeric", "vectors")
    share_axis = panel.yaxis if is_histogram else panel.xaxis
    share_axis.set_major_locator(_few_ticks())
    if is_histogram:
        panel.xaxis.set_major_locator(_few_ticks())
    share_axis.set_major_formatter(PercentFormatter(1))
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8, colors=QUIET_COLOUR)
    panel.xaxis.label.set(fontsize=8, color=QUIET_COLOUR)


def _few_ticks() -> MaxNLocator:
    return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])


def _evidence(drift: ColumnDrift) -> str:
    if drift.measure == "p_value" and drift.p_value_adjusted is not None:
        return f"{drift.test}, p = {drift.p_value_adjusted:.2g}"
    return f"{drift.test} = {drift.statistic:.3g}"


def _caption(figure: Figure, report: DriftReport, n_shown: int) -> None:
    rest = "" if n_shown == report.n_columns else f"; {n_shown} shown"
    figure.suptitle(
        f"{report.n_drifted} of {report.n_columns} columns drifted{rest}",
        x=0.01,
        ha="left",
        fontsize=13,
        fontweight="bold",
    )
    figure.legend(
        handles=[
            Patch(color=REFERENCE_COLOUR, label="reference"),
            Patch(color=CURRENT_COLOUR, label="current"),
        ],
        loc="outside lower left",
        ncols=2,
        frameon=False,
        fontsize=9,
    )


def _shortened(text: str, longest: int = LONGEST_LABEL) -> str:
    cut = text if len(text) <= longest else f"{text[: longest - 1]}\u2026"
    return cut.replace("$", r"\$")  # a dollar sign would start a formula
