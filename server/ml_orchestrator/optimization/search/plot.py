"""A picture of a search: what was tried, the front, and what of it holds elsewhere."""

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ml_orchestrator.optimization.search.front import Tried
from ml_orchestrator.optimization.search.models import OptimisationReport

__all__ = ["front_plot"]


def front_plot(report: OptimisationReport, tried: Sequence[Tried]) -> bytes:
    """Return a PNG: effect against tokens, the front numbered, held-out gains with intervals."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [t.means.tokens_added or 0 for t in tried],
        [t.means.effect for t in tried],
        ".",
        color="lightgrey",
        label="tried",
    )
    for number, member in enumerate(report.front, start=1):
        x, held = member.search.tokens_added or 0, member.held_out
        colour = "#55a868" if held.is_confirmed else "#c44e52"
        reach = [[max(0.0, held.gain - held.low)], [max(0.0, held.high - held.gain)]]
        axes.errorbar(x, held.gain, yerr=reach, fmt="o", color=colour, capsize=3)
        axes.plot(x, member.search.effect, "_", color="black", markersize=12)
        axes.annotate(str(number), (x, held.gain), textcoords="offset points", xytext=(6, 4))
    axes.axhline(0, color="grey", linewidth=0.8)
    for marker, colour, label in (
        ("o", "#55a868", "held out: confirmed"),
        ("o", "#c44e52", "held out: not confirmed"),
        ("_", "black", "in the search"),
    ):
        axes.plot([], [], marker, color=colour, label=label)
    axes.set_xlabel("tokens added to a prompt, mean" + _unknown(report))
    axes.set_ylabel(f"gain over the baseline ({report.level})")
    axes.set_title("Rule sets that no other beats")
    axes.legend(fontsize=8)
    target = io.BytesIO()
    FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()


def _unknown(report: OptimisationReport) -> str:
    is_known = any(member.search.tokens_added is not None for member in report.front)
    return "" if is_known else " (not known)"
