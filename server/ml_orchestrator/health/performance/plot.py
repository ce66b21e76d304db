"""A picture of performance over time: measured, estimated, and the limit."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml_orchestrator.health.figures import as_png, named_places
from ml_orchestrator.health.performance.models import PerformanceReport, Range

__all__ = ["performance_plot"]

MEASURED, ESTIMATED, LIMIT, WORSE = "#24527a", "#7a8899", "#b3261e", "#f6d5cf"
MOST_METRICS = 3


def performance_plot(report: PerformanceReport) -> bytes:
    """Return a PNG with a panel for each of the first three metrics.

    Points with bars are measured, the band is the estimate of what labels would show, the dashed
    line is the limit, and a shaded chunk is worse than chance explains.
    """
    names = list(report.metrics)[:MOST_METRICS]
    figure = Figure(figsize=(8, 1.2 + 2.2 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1, squeeze=False, sharex=True).ravel()
    for panel, name in zip(panels, names, strict=True):
        _draw(panel, report, name)
    places = named_places(len(report.chunks))
    panels[-1].set_xticks(places, [report.chunks[i].start for i in places], rotation=20, ha="right")
    title = "Worse since " + report.since if report.since else "Not worse"
    figure.suptitle(title.replace("$", r"\$"), x=0.01, ha="left", fontsize=13, fontweight="bold")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return as_png(figure)


def _draw(panel: Axes, report: PerformanceReport, name: str) -> None:
    scores = [chunk.scores.get(name) for chunk in report.chunks]
    estimated = [(i, s.estimated) for i, s in enumerate(scores) if s and s.estimated]
    measured = [(i, s.realised) for i, s in enumerate(scores) if s and s.realised]
    if estimated:
        at, middle, low, high = _columns(estimated)
        panel.fill_between(at, low, high, color=ESTIMATED, alpha=0.25, label="estimated")
        panel.plot(at, middle, color=ESTIMATED, linewidth=1.3, marker="_")
    if measured:
        at, middle, low, high = _columns(measured)
        bars = np.stack([middle - low, high - middle]).clip(min=0)
        panel.errorbar(
            at, middle, yerr=bars, fmt="o", markersize=4, color=MEASURED, label="measured"
        )
    panel.axhline(report.metrics[name].limit, color=LIMIT, linestyle=(0, (4, 2)), label="limit")
    for i, score in enumerate(scores):
        if score and score.is_worse:
            panel.axvspan(i - 0.5, i + 0.5, color=WORSE, zorder=0)
    panel.set_ylabel(name)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)


def _columns(ranges: list[tuple[int, Range]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([(i, r.value, r.low, r.high) for i, r in ranges], dtype=np.float64).T
