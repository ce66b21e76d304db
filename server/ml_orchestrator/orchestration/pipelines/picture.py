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
from ml_orchestrator.orchestration.pipelines.graph import levels_of

__all__ = ["graph_png", "placed"]

WIDTH, HEIGHT = 1.0, 0.5  # of a box; a column is 1.5 wide, a row 0.9 high
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
Place = tuple[float, float]


def graph_png(status: RunStatus) -> bytes:
    """Return the picture as PNG: what comes first stands left."""
    needs = needs_in(status.steps)
    places = placed([step.name for step in status.steps], needs)
    n_columns = 1 + max(x for x, _ in places.values())
    n_rows = max(y for _, y in places.values()) - min(y for _, y in places.values()) + 1
    size = (min(MOST_INCHES, 1.0 + 2.1 * n_columns), min(MOST_INCHES, 1.2 + 0.95 * n_rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(f"{status.workflow}: {status.state} ({status.run_id})", fontsize=10)
    for name, wanted in needs.items():
        for each in (each for each in wanted if each in places):
            is_far = places[name][0] - places[each][0] > 1
            _arrow(axes, _at(places[each]), _at(places[name]), bend=-0.25 if is_far else 0.0)
    for step in status.steps:
        _box(axes, step, _at(places[step.name]))
    heights = [_at(place)[1] for place in places.values()]
    axes.set_xlim(-0.7, (n_columns - 1) * 1.5 + 0.7)
    axes.set_ylim(min(heights) - 0.5, max(heights) + 0.6)
    target = io.BytesIO()
    FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()


def placed(order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, Place]:
    """Return a column and a row for each step: columns by level, rows near what a step needs.

    Rows are spread around 0, and no two steps of a column share one.
    """
    levels = levels_of(order, needs)
    places: dict[str, Place] = {}
    for level in range(1 + max(levels.values())):
        column = [name for name in order if levels[name] == level]

        def wanted(name: str) -> float:
            rows = [places[each][1] for each in needs[name] if each in places]
            return sum(rows) / len(rows) if rows else 0.0

        column.sort(key=wanted)
        for row, name in enumerate(column):
            places[name] = (float(level), row - (len(column) - 1) / 2)
    return places


def _at(place: Place) -> Place:
    return place[0] * 1.5, -place[1] * 0.9


def _arrow(axes: Axes, start: Place, end: Place, *, bend: float) -> None:
    axes.annotate(
        "",
        xy=(end[0] - WIDTH / 2, end[1]),
        xytext=(start[0] + WIDTH / 2, start[1]),
        arrowprops={
            "arrowstyle": "->",
            "color": "grey",
            "connectionstyle": f"arc3,rad={bend}",
            "zorder": 1,
        },
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
