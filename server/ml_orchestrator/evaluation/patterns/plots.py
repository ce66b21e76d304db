"""A picture of patterns: their effects on the part that tested and on the part that replicated."""

import io
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from ml_orchestrator.evaluation.patterns.models import Effect, Pattern, PatternReport, Status

__all__ = ["pattern_plot"]

MOST_SHOWN = 25
LONGEST_NAME = 44
COLOURS: Mapping[Status, str] = {
    "replicated": "#2b7a4b",
    "confirmed": "#d9622b",
    "selected": "#9aa3ad",
}
QUIET_COLOUR = "#5b6470"


def pattern_plot(report: PatternReport) -> bytes:
    """Return a PNG with a row per pattern, at most 25, in the order of the report.

    A hollow mark is the effect on the part that tested, a filled one that on the part nothing had
    touched, both with 95 % intervals; the colour says how far the pattern came.
    """
    shown = report.patterns[:MOST_SHOWN]
    figure = Figure(figsize=(9, 1.9 + 0.42 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    for row, pattern in enumerate(shown):
        _draw(axes, row, pattern)
    axes.axvline(0.0, color=QUIET_COLOUR, linewidth=1, linestyle=(0, (2, 2)))
    names = [f"{_shortened(p.pattern)}  ({p.support:.0%})" for p in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=9)
    axes.set_ylim(max(1, len(shown)) - 0.4, -0.6)
    if not shown:
        axes.text(0.5, 0.5, "No pattern was selected", ha="center", transform=axes.transAxes)
    unit = ""
    if report.is_share:
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        unit = " in points"
    axes.set_xlabel(f"effect{unit}, other patterns held as they are", fontsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=QUIET_COLOUR)
    _caption(figure, report, len(shown))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw(axes: Axes, row: int, pattern: Pattern) -> None:
    colour = COLOURS[pattern.status]
    for effect, place, is_filled in (
        (pattern.tested, row - 0.13, False),
        (pattern.replication, row + 0.13, True),
    ):
        if effect is not None:
            _interval(axes, effect, place, colour=colour, fill=colour if is_filled else "white")


def _interval(axes: Axes, effect: Effect, place: float, *, colour: str, fill: str) -> None:
    axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=1.6)
    axes.plot([effect.effect], [place], "o", color=colour, markerfacecolor=fill, markersize=6)


def _caption(figure: Figure, report: PatternReport, n_shown: int) -> None:
    rest = "" if n_shown == report.n_selected else f"; {n_shown} shown"
    figure.suptitle(
        f"{report.n_replicated} replicated of {report.n_confirmed} confirmed of "
        f"{report.n_selected} selected{rest}",
        x=0.01,
        ha="left",
        fontsize=12,
        fontweight="bold",
    )
    marks = [Line2D([], [], color=colour, label=status) for status, colour in COLOURS.items()]
    tested = Line2D([], [], color=QUIET_COLOUR, marker="o", markerfacecolor="white", label="test")
    again = Line2D([], [], color=QUIET_COLOUR, marker="o", label="replication")
    figure.legend(
        handles=[*marks, tested, again],
        loc="outside lower left",
        ncols=5,
        frameon=False,
        fontsize=8,
    )


def _shortened(text: str) -> str:
    cut = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}\u2026"
    return "".join(c if c.isprintable() else " " for c in cut).replace("$", r"\$")
