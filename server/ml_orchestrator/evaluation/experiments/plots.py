"""Pictures of an experiment."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml_orchestrator.evaluation.experiments.models import Comparison, ExperimentReport, Look

__all__ = ["experiment_plot"]

COLOUR = "#4c72b0"
SHOWN_COLOUR = "#c44e52"


def experiment_plot(report: ExperimentReport) -> bytes:
    """Return a PNG: effects with intervals, and over time the sequence or the stretches."""
    has_time = bool(report.looks or report.over_time)
    figure = Figure(figsize=(10 if has_time else 6, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if has_time else 1, squeeze=False)[0]
    _effects(axes[0], report.comparisons)
    if report.looks:
        _sequence(axes[1], report.looks)
    elif report.over_time:
        _stretches(axes[1], report)
    found = report.decision.replace("_", " ")
    title = found if report.best_arm is None else f"{report.best_arm[:40]} better"
    figure.suptitle(f"{title} ({report.method}, {report.level})", parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _effects(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    for place, c in enumerate(comparisons):
        is_shown = c.decision in ("a_better", "b_better")
        colour = SHOWN_COLOUR if is_shown else COLOUR
        if c.low is not None and c.high is not None:
            axes.plot([c.low, c.high], [place, place], color=colour)
        axes.plot([c.effect], [place], "o", color=colour)
    neutral = 0.5 if comparisons[0].measure == "probability_of_superiority" else 0.0
    axes.axvline(neutral, color="grey", linestyle=":")
    axes.set_yticks(range(len(comparisons)), [c.arm[:24] for c in comparisons], parse_math=False)
    axes.set_ylim(-0.5, len(comparisons) - 0.5)
    axes.set_xlabel(f"effect against {comparisons[0].control[:24]}", parse_math=False)


def _sequence(axes: Axes, looks: Sequence[Look]) -> None:
    n = [look.n for look in looks]
    axes.fill_between(n, [k.low for k in looks], [k.high for k in looks], alpha=0.3, color=COLOUR)
    axes.plot(n, [look.effect for look in looks], color=COLOUR)
    axes.axhline(0.0, color="grey", linestyle=":")
    axes.set_xlabel("rows of both arms")
    axes.set_ylabel("effect, interval for all looks")


def _stretches(axes: Axes, report: ExperimentReport) -> None:
    for place, part in enumerate(report.over_time):
        axes.plot([place, place], [part.low, part.high], color=COLOUR)
        axes.plot([place], [part.effect], "o", color=COLOUR)
    axes.axhline(0.0, color="grey", linestyle=":")
    axes.set_xticks(
        range(len(report.over_time)), [p.start[:10] for p in report.over_time], rotation=45
    )
    axes.set_ylabel("effect")
