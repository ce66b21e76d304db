"""Columns that cannot be compared any more: gone, without a value, or of another kind."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.drift.contract import Columns, Sample, is_missing
from ml_orchestrator.health.models import ColumnKind, SchemaChange

__all__ = ["awaits_labels", "is_empty", "split_by_schema"]

_KINDS: dict[ColumnKind, str] = {
    "numeric": "numbers",
    "categorical": "categories or text",
    "text": "text",
    "vectors": "vectors",
}


def split_by_schema(
    reference: Columns, current: Columns, names: Iterable[str]
) -> tuple[list[str], tuple[SchemaChange, ...]]:
    """Return the columns that can be compared, and what became of the others.

    What has no value on either side is in neither.

    Args:
        reference: column name to array of shape ``(n_reference,)``, as for `check_drift`.
        current: likewise, shape ``(n_current,)``; may lack columns.
        names: columns; one that the reference lacks counts as comparable, for `check_drift` to
            refuse.
    """
    comparable: list[str] = []
    changes: list[SchemaChange] = []
    for name in names:
        change = _change(name, reference[name], current.get(name)) if name in reference else None
        if change is not None:
            changes.append(change)
        elif name not in reference or not is_empty(reference[name]):
            comparable.append(name)
    return comparable, tuple(changes)


def awaits_labels(change: SchemaChange, target: str | None) -> bool:
    """Whether it is that new rows have no labels yet."""
    return change.column == target and change.change in ("gone", "emptied")


def is_empty(column: NDArray[Any] | Sample) -> bool:
    """Whether a column has no value at all; vectors have one where all numbers are there."""
    if isinstance(column, Sample):
        return False
    if column.dtype.kind == "f":
        is_finite = np.isfinite(column)
        return not (is_finite if column.ndim == 1 else is_finite.all(axis=1)).any()
    return column.dtype == object and all(map(is_missing, column.tolist()))


def _change(
    name: str, before: NDArray[Any] | Sample, now: NDArray[Any] | Sample | None
) -> SchemaChange | None:
    if now is None:
        return SchemaChange(column=name, change="gone", summary=f"Column {name!r} is gone.")
    if is_empty(now):
        if is_empty(before):
            return None
        told = f"Column {name!r} has no value any more."
        return SchemaChange(column=name, change="emptied", summary=told)
    if is_empty(before):
        told = f"Column {name!r} has values now, and none in the reference."
        return SchemaChange(column=name, change="filled", summary=told)
    was, found = _kind(before), _kind(now)
    if was == found:
        return None
    such = f" such as {_shown(now)}" if found == _KINDS["categorical"] else ""
    told = (
        f"Column {name!r} held {was} and now holds {found}{such}; where they mean the same, "
        "column_types reads files alike."
    )
    return SchemaChange(column=name, change="retyped", summary=told)


def _kind(column: NDArray[Any] | Sample) -> str:
    if isinstance(column, Sample):
        kind, values = column.kind, column.given
    else:
        is_number, values = column.dtype.kind in "iuf", column
        kind = ("vectors" if column.ndim == 2 else "numeric") if is_number else "categorical"
    return f"vectors of {values.shape[1]} numbers" if kind == "vectors" else _KINDS[kind]


def _shown(column: NDArray[Any] | Sample) -> str:
    """Return a value to be seen: one that is no number, if there is any."""
    values = column.given if isinstance(column, Sample) else column
    known = [value for value in values.tolist() if not is_missing(value)]
    return repr(str(next((value for value in known if not _is_number(value)), known[0]))[:40])


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
