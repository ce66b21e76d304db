"""Whether rows belong together in time or in groups, so that a random split would flatter."""

import re
from dataclasses import dataclass

import polars as pl

from ml_orchestrator.datasets.models import SplitKind

__all__ = ["SplitHint", "suggest_split"]

MIN_MOMENTS = 10  # distinct times from which an order is one
MIN_GROUPS = 20
MIN_ROWS_PER_GROUP = 2
_OF_GROUPS = re.compile(
    r"(^|[_\s-])(id|key|user|customer|client|patient|subject|person|account|household|session"
    r"|machine)$"
)


@dataclass(frozen=True, slots=True)
class SplitHint:
    """A way to set rows aside, the column it goes by, and what was seen there."""

    kind: SplitKind
    column: str | None
    evidence: str


def suggest_split(frame: pl.DataFrame, target: str | None) -> SplitHint:
    """Return how rows of a normalised frame are best held out.

    ``time`` if the rows are sorted by a complete column of dates or times; ``group`` if a column
    that is named like a key (``customer``, ``patient_id``) comes back for at least two rows a
    value on average and has at least 20 values; else ``random``.
    """
    columns = [column for column in frame.get_columns() if column.name != target]
    for column in columns:
        if _orders(column):
            return SplitHint(
                "time",
                column.name,
                f"The rows are sorted by {column.name!r}, from {column.min()!s} to "
                f"{column.max()!s}.",
            )
    for column in columns:
        if _groups(column):
            return SplitHint(
                "group",
                column.name,
                f"{column.name!r} is named like a key and has {column.n_unique():,} values in "
                f"{len(column):,} rows: rows of one value may be alike.",
            )
    return SplitHint("random", None, "No column orders or groups the rows.")


def _orders(column: pl.Series) -> bool:
    is_complete_time = column.dtype.is_temporal() and column.null_count() == 0
    if not is_complete_time or column.n_unique() < MIN_MOMENTS:
        return False
    return column.is_sorted() or column.is_sorted(descending=True)


def _groups(column: pl.Series) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name).lower()
    is_key = column.dtype == pl.String or column.dtype.is_integer()
    if not is_key or not _OF_GROUPS.search(words):
        return False
    n_groups = column.drop_nulls().n_unique()
    return n_groups >= MIN_GROUPS and len(column) >= MIN_ROWS_PER_GROUP * n_groups
