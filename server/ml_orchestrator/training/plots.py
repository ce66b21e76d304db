"""Pictures of a search and of what it found."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, roc_curve

from ml_orchestrator.training.costs import Cost
from ml_orchestrator.training.front import front_of
from ml_orchestrator.training.metrics import Metric, Predictions
from ml_orchestrator.training.models import Importance
from ml_orchestrator.training.study import FinishedTrial

__all__ = ["front_plot", "holdout_plots", "importance_plot", "search_plot"]

COLOUR = "#4c72b0"
MAX_CURVES = 8
MAX_NUMBERED_CLASSES = 12


def search_plot(trials: Sequence[FinishedTrial], metric: Metric) -> bytes:
    """Return a PNG of the score of each trial, by family, and of the best so far."""
    figure, axes = _blank(f"Search: {metric.name} by trial")
    complete = [t for t in trials if t.state == "complete"]
    for name in sorted({str(t.params["trainer"]) for t in complete}):
        own = [t for t in complete if t.params["trainer"] == name]
        axes.plot([t.index for t in own], [t.mean_score for t in own], "o", label=name)
    scores = [t.mean_score for t in complete]
    best = np.maximum.accumulate if metric.higher_is_better else np.minimum.accumulate
    axes.step([t.index for t in complete], best(scores), where="post", color="grey", label="best")
    for trial in trials:
        if trial.state == "pruned":
            axes.axvline(trial.index, color="lightgrey", linestyle=":", zorder=0)
    axes.set_xlabel("trial (dotted: pruned)")
    axes.set_ylabel(f"{metric.name}, mean of folds")
    axes.legend(fontsize=8)
    return _png(figure)


def front_plot(
    trials: Sequence[FinishedTrial],
    chosen: FinishedTrial,
    costs: Sequence[Cost],
    metric: Metric,
) -> bytes:
    """Return a PNG of score against each cost, the front and the chosen trial marked."""
    figure = Figure(figsize=(6.4 * len(costs), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    complete = [trial for trial in trials if trial.state == "complete"]
    front = front_of(trials, higher_is_better=metric.higher_is_better)
    parts: list[tuple[Sequence[FinishedTrial], str, str, str]] = [
        (complete, ".", "lightgrey", "tried"),
        (front, "o", COLOUR, "beaten by none"),
        ([chosen], "*", "#c44e52", "taken"),
    ]
    for place, (cost, axes) in enumerate(
        zip(costs, figure.subplots(1, len(costs), squeeze=False)[0], strict=True)
    ):
        for own, marker, colour, label in parts:
            takes, scores = [t.costs[place] for t in own], [t.mean_score for t in own]
            size = 14 if marker == "*" else 6
            axes.plot(takes, scores, marker, color=colour, label=label, markersize=size)
        if cost.limit is not None:
            axes.axvline(cost.limit, color="grey", linestyle=":", label="limit")
        axes.set_xscale("log")
        axes.set_xlabel(f"{cost.name}, {cost.unit}")
        axes.set_ylabel(f"{metric.name}, mean of folds")
        axes.legend(fontsize=8)
    return _png(figure)


def importance_plot(importances: Sequence[Importance], metric: Metric) -> bytes:
    """Return a PNG of the permutation importances, most important on top."""
    figure, axes = _blank("What the model relies on")
    places = range(len(importances))
    losses, stds = [i.loss for i in importances], [i.std for i in importances]
    axes.barh(places, losses, xerr=stds, color=COLOUR)
    axes.set_yticks(places, [_label(i.feature) for i in importances])
    axes.invert_yaxis()
    axes.set_xlabel(f"{metric.name} lost when shuffled (held-out rows)")
    return _png(figure)


def holdout_plots(given: Predictions, classes: Sequence[str]) -> dict[str, bytes]:
    """Return PNGs of the held-out predictions, by name."""
    if not classes:
        return {"predicted_vs_actual": _scatter(given)}
    return {"confusion_matrix": _confusion(given, classes), "roc_curve": _roc(given, classes)}


def _scatter(given: Predictions) -> bytes:
    figure, axes = _blank("Held-out rows: predicted and actual")
    axes.plot(given.truth, given.predicted, ".", color=COLOUR, alpha=0.5)
    ends = [float(np.min(given.truth)), float(np.max(given.truth))]
    axes.plot(ends, ends, "--", color="grey", label="perfect")
    axes.set_xlabel("actual")
    axes.set_ylabel("predicted")
    axes.legend(fontsize=8)
    return _png(figure)


def _confusion(given: Predictions, classes: Sequence[str]) -> bytes:
    figure, axes = _blank("Held-out rows: predicted and actual class")
    counts = confusion_matrix(given.truth, given.predicted, labels=range(len(classes)))
    axes.imshow(counts, cmap="Blues")
    places, names = range(len(classes)), [_label(name) for name in classes]
    axes.set_xticks(places, names, rotation=45, ha="right")
    axes.set_yticks(places, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    if len(classes) <= MAX_NUMBERED_CLASSES:
        _write_counts(axes, counts)
    return _png(figure)


def _write_counts(axes: Axes, counts: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> None:
    middle = counts.max() / 2
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > middle else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=colour)


def _roc(given: Predictions, classes: Sequence[str]) -> bytes:
    figure, axes = _blank("Held-out rows: ROC")
    codes = [1] if len(classes) == 2 else range(min(len(classes), MAX_CURVES))
    for code in codes:
        is_positive = given.truth == code
        if is_positive.any() and not is_positive.all():
            false_rate, true_rate, _ = roc_curve(
                is_positive, given.probabilities[:, code], sample_weight=given.weights
            )
            axes.plot(false_rate, true_rate, label=_label(classes[code]))
    axes.plot([0, 1], [0, 1], "--", color="grey", label="chance")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.legend(fontsize=8)
    return _png(figure)


def _blank(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def _label(text: str) -> str:
    """Return at most 24 characters without the sign that starts a formula."""
    short = text if len(text) <= 24 else text[:23] + "…"
    return "".join(c if c.isprintable() else " " for c in short).replace("$", r"\$")
