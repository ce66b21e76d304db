"""Whether drift matters to a model, and what to do next."""

from collections.abc import Collection, Mapping, Sequence

from ml_orchestrator.health.models import ColumnImpact, DriftReport, ModelImpact

__all__ = ["next_steps", "weigh"]

NOTABLE_SHARE = 0.05  # of all importance, from which a column matters
MOST_NAMED = 3
SOURCE_FAULT = 0.05  # rise in missing values that looks like a broken feed


def weigh(
    report: DriftReport,
    importances: Mapping[str, float],
    *,
    model: str,
    outcomes: Collection[str] = (),
) -> ModelImpact:
    """Return how much of what a model relies on has drifted, and whether its outcomes did.

    A column's share is its permutation importance over the sum of all that are above 0. A column
    without one, of a model that has some, is beyond its most important ones and counts as 0. An
    outcome has none, and its drift matters all the same. Columns that drifted together are weighed
    where the test names them; where it names none, whether they matter stays unknown.

    Args:
        report: what drifted.
        importances: column to importance; a model's own, measured on held-out rows.
        model: its name and version, for the words.
        outcomes: columns of what it is to say, or said: target, predictions, probabilities.
    """
    kept = {name: value for name, value in importances.items() if value > 0}
    total = sum(kept.values()) or 1.0
    columns = [
        ColumnImpact(column=name, importance_share=kept.get(name, 0.0) / total)
        for name in dict.fromkeys([*report.drifted_columns, *_named_together(report)])
        if name not in outcomes
    ]
    columns.sort(key=lambda c: -c.importance_share)
    share = min(1.0, sum(c.importance_share for c in columns))
    matters = [c.column for c in columns if c.importance_share >= NOTABLE_SHARE]
    said = tuple(name for name in report.drifted_columns if name in outcomes)
    is_known = bool(importances) and not (_is_joint(report) and not _named_together(report))
    if importances and not matters and not is_known:
        summary = f"Whether {model} relies on how columns hang together, which changed, is unknown."
    elif not columns and said:
        summary = f"Nothing that {model} reads drifted."
    elif not importances:
        summary = f"{model} has no importances, so whether it relies on these columns is unknown."
    elif not matters:
        summary = f"{model} hardly relies on what drifted ({share:.0%} of its importance)."
    else:
        named = ", ".join(map(repr, matters[:5]))
        summary = f"{share:.0%} of what {model} relies on drifted, by {named}."
    if said:
        summary += f" Its outcome drifted: {', '.join(map(repr, said[:5]))}."
    return ModelImpact(
        model=model,
        share=share if importances else None,
        matters=bool(matters or said) or (False if is_known else None),
        columns=tuple(columns),
        outcomes=said,
        summary=summary,
    )


def next_steps(report: DriftReport) -> tuple[str, ...]:
    """Return what to do, in this order, in whole sentences.

    With a model whose importances are known, the columns to look into are those it relies on,
    most important first; else those that drifted most clearly.
    """
    lost = [c.column for c in report.schema_changes]
    steps = [f"Mend the feed, or its schema: {', '.join(map(repr, lost[:5]))}."] if lost else []
    steps += [
        f"Look for a broken feed: missing values of {c.column!r} rose from "
        f"{c.missing_share_reference:.0%} to {c.missing_share_current:.0%}."
        for c in report.columns
        if c.missing_share_current - c.missing_share_reference >= SOURCE_FAULT
    ][:3]
    if not report.is_any_column_drifted and not _is_joint(report):
        return tuple(steps) or ("Nothing to do: go on watching.",)
    named = [name for name in _worth_naming(report) if name not in lost][:MOST_NAMED]
    listed = ", ".join(map(repr, named))
    if not report.is_any_column_drifted:
        which = listed or "the columns"
        steps.append(f"No column changed by itself: look at how {which} hang together.")
    elif named:
        steps.append(
            f"Find the cause of the change in {listed}{_beginning(report, named)}: unit, source, "
            "filter, season."
        )
    if report.model is None:
        steps.append("Name the model, to see whether it relies on these columns.")
    elif report.model.matters is False:
        steps.append("Leave the model as it is: it hardly relies on the columns that drifted.")
        return tuple(steps)
    steps.append(
        "Measure the model (performance_check); retrain if it is worse and the data right."
    )
    return tuple(steps)


def _is_joint(report: DriftReport) -> bool:
    return report.together is not None and report.together.is_drifted


def _named_together(report: DriftReport) -> Sequence[str]:
    """Return the columns that a test of all together names, clearest first."""
    return () if report.together is None else tuple(report.together.important_columns)


def _worth_naming(report: DriftReport) -> Sequence[str]:
    if report.model is None or report.model.share is None:
        return report.drifted_columns or _named_together(report)
    read = [c.column for c in report.model.columns if c.importance_share > 0]
    return [*read, *report.model.outcomes]


def _beginning(report: DriftReport, names: Sequence[str]) -> str:
    chunks = () if report.over_time is None else report.over_time.chunks
    starts = (chunk.start for chunk in chunks if not set(names).isdisjoint(chunk.drifted_columns))
    start = next(starts, None)
    return "" if start is None else f", which began at {start}"
