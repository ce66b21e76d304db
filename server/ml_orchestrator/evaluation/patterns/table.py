"""A table of cases, and the columns that a search names."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.faults import near

__all__ = ["MOST_CASES", "CaseTable", "check_table", "feature_columns", "times_of"]

MOST_CASES = 200_000

CaseTable: TypeAlias = Mapping[str, NDArray[Any]]
"""Columns by name, all shape ``(n_cases,)``: float64 with NaN, or objects of text with None."""


def check_table(table: CaseTable, spec: PatternSpec) -> None:
    """Raise InvalidInputError unless the table has what is named, equally long, and no more rows.

    At most 200,000 rows are searched.
    """
    named = [spec.outcome, spec.group, spec.time, spec.sequence, *(spec.features or ())]
    for name in named:
        if name is not None:
            _check_column(table, name)
    n_rows = len(table[spec.outcome])
    for name, column in table.items():
        if len(column) != n_rows:
            raise InvalidInputError(
                f"Column {name!r} has {len(column):,} values and {spec.outcome!r} {n_rows:,}; give "
                "one value a case in each column, null where it is missing."
            )
    if n_rows > MOST_CASES:
        raise InvalidInputError(
            f"{n_rows:,} cases are more than the {MOST_CASES:,} that are searched; give a random "
            "sample of them (whole groups, if there are groups)."
        )


def feature_columns(table: CaseTable, spec: PatternSpec) -> Sequence[str]:
    """Return the columns to look for patterns in.

    Raises:
        InvalidInputError: one of them is outcome, group, time or sequence too.
    """
    taken = {spec.outcome, spec.group, spec.time, spec.sequence}
    if spec.features is None:
        return [name for name in table if name not in taken]
    if overlap := taken & set(spec.features):
        raise InvalidInputError(
            f"{', '.join(sorted(map(str, overlap)))} cannot be a feature and outcome, group, time "
            "or sequence at once; leave it out of features."
        )
    return list(dict.fromkeys(spec.features))


def times_of(table: CaseTable, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return when each case was.

    Raises:
        InvalidInputError: it holds text, or a case has none.
    """
    values = table[name][rows]
    if values.dtype == object or not np.isfinite(values).all():
        raise InvalidInputError(
            f"Column {name!r} must hold a date, a time or a number for each case; it holds text or "
            "has gaps. Write dates as 2026-01-31, and leave out cases without one."
        )
    return np.asarray(values, dtype=np.float64)


def _check_column(table: CaseTable, name: str) -> None:
    if name not in table:
        raise InvalidInputError(
            f"No column {name!r}{near(name, table)}. Columns: {', '.join(list(table)[:50])}."
        )
