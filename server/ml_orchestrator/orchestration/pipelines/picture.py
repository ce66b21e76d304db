"""The graph of a run as a picture: boxes in columns, coloured by their state, arrows between."""

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ml_orchestrator.orchestration.models import RunStatus, StepStatus
from ml_orchestrator.orchestration.pipelines.drawing import label_of, needs_in
from ml_orchestrator.orchestration.pipelines.layout import HEIGHT, WIDTH, Place, laid_out

__all__ = ["graph_png"]

MOST_INCHES = 40.0
MAX_NAME = 22
COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "succeeded": "#c6e5c8",
        "failed": "#f2b8b5",
        "running": "#fde9a9",
        "cancelled": "#d9d2e9",
        "skipped": "#e8e8e8",
        "pending": "#ffffff",
    }
)


def graph_png(status: RunStatus) -> bytes:
    """Return the picture as PNG: what comes first stands left."""
    needs = needs_in(status.steps)
    layout = laid_out([step.name for step in status.steps], needs)
    width, height = 1.0 + 2.1 * layout.n_columns, 1.2 + 0.95 * layout.n_rows
    figure = Figure(
        figsize=(min(MOST_INCHES, width), min(MOST_INCHES, height)), layout="constrained"
    )
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(f"{status.workflow}: {status.state} ({status.run_id})", fontsize=10)
    for way in layout.ways.values():
        _arrow(axes, way)
    for step in status.steps:
        _box(axes, step, layout.boxes[step.name])
    lowest, highest = layout.span
    axes.set_xlim(-0.7, max(x for x, _ in layout.boxes.values()) + 0.7)
    axes.set_ylim(lowest - 0.5, highest + 0.6)
    target = io.BytesIO()
    FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()


def _arrow(axes: Axes, way: Sequence[Place]) -> None:
    axes.plot(*zip(*way[:-1], strict=True), color="grey", linewidth=1.0, zorder=1)
    axes.annotate(
        "",
        xy=way[-1],
        xytext=way[-2],
        arrowprops={"arrowstyle": "->", "color": "grey", "shrinkA": 0, "zorder": 1},
    )


def _box(axes: Axes, step: StepStatus, at: Place) -> None:
    box = FancyBboxPatch(
        (at[0] - WIDTH / 2, at[1] - HEIGHT / 2),
        WIDTH,
        HEIGHT,
        boxstyle="round,pad=0.02",
        facecolor=COLOURS[step.state],
        edgecolor="black",
        linewidth=0.8,
        zorder=2,
    )
    axes.add_patch(box)
    name = step.name if len(step.name) <= MAX_NAME else f"{step.name[: MAX_NAME - 1]}…"
    uses = f"{step.node.uses}\n" if step.node else ""
    # A name is data: no mathematics is read from it.
    axes.text(at[0], at[1] + 0.1, name, ha="center", va="center", fontsize=8, parse_math=False)
    axes.text(
        at[0],
        at[1] - 0.1,
        f"{uses}{label_of(step)}",
        ha="center",
        va="center",
        fontsize=6,
        parse_math=False,
    )
