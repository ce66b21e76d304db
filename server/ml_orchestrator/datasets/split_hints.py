"""Whether rows belong together in time or in groups, so that a random split would flatter."""

from dataclasses import dataclass

import polars as pl

from ml_orchestrator.datasets.entities import find_entity, is_label
from ml_orchestrator.datasets.models import SplitKind

__all__ = ["SplitHint", "suggest_split"]

MIN_MOMENTS = 10  # distinct times from which an order is one
MIN_ROWS_PER_SERIES = 8


@dataclass(frozen=True, slots=True)
class SplitHint:
    """A way to set rows aside, the column it goes by, and what was seen there.

    ``group`` is the column whose values belong together, if one does: the groups, or of rows in
    time the series; ``group_evidence`` says what was seen of it.
    """

    kind: SplitKind
    column: str | None
    evidence: str
    group: str | None = None
    group_evidence: str = ""


def suggest_split(frame: pl.DataFrame, target: str | None) -> SplitHint:
    """Return how rows of a normalised frame are best held out.

    ``time`` if the rows, or those of each series, are sorted by a complete column of dates or
    times; ``group`` if a column names what rows repeat (``entities``); else ``random``. A column
    names series if it has each time once for each of its values, and eight rows a value on average.
    """
    columns = [column for column in frame.get_columns() if column.name != target]
    moments = [column for column in columns if _is_complete_time(column)]
    labels = [column for column in columns if column.null_count() == 0 and is_label(column)]
    for moment in sorted(moments, key=lambda column: not _is_sorted(column)):
        series = _series(moment, labels)
        if _is_sorted(moment) or (series is not None and _are_sorted(moment, series)):
            return _in_time(moment, series)
    entity = find_entity(frame, target)
    if entity is None:
        return SplitHint("random", None, "No column orders or groups the rows.")
    return SplitHint("group", entity.column, entity.evidence, entity.column, entity.evidence)


def _in_time(moment: pl.Series, series: pl.Series | None) -> SplitHint:
    span = f"by {moment.name!r}, from {moment.min()!s} to {moment.max()!s}."
    if series is None:
        return SplitHint("time", moment.name, f"The rows are sorted {span}")
    seen = (
        f"{series.name!r} has {series.n_unique():,} values, each with every {moment.name!r} at "
        "most once: they are series."
    )
    rows = "rows" if _is_sorted(moment) else f"rows of each {series.name!r}"
    return SplitHint("time", moment.name, f"The {rows} are sorted {span}", series.name, seen)


def _is_complete_time(column: pl.Series) -> bool:
    is_complete = column.dtype.is_temporal() and column.null_count() == 0
    return is_complete and column.n_unique() >= MIN_MOMENTS


def _is_sorted(column: pl.Series) -> bool:
    return column.is_sorted() or column.is_sorted(descending=True)


def _series(moment: pl.Series, labels: list[pl.Series]) -> pl.Series | None:
    """Return the label of fewest values that has no time twice; None if times never come back."""
    n_rows = len(moment)
    if moment.n_unique() == n_rows:
        return None
    found = [
        label
        for label in labels
        if 2 <= label.n_unique() <= n_rows / MIN_ROWS_PER_SERIES
        and pl.DataFrame({"time": moment, "label": label}).n_unique() == n_rows
    ]
    return min(found, key=lambda label: label.n_unique(), default=None)


def _are_sorted(moment: pl.Series, series: pl.Series) -> bool:
    """Return whether the times of each series rise."""
    rows = pl.DataFrame({"time": moment.to_physical(), "label": series})
    steps = rows.select(pl.col("time").diff().over("label")).to_series().drop_nulls()
    return bool((steps > 0).all())
