"""Columns read as a person says, where their values do not tell."""

from collections.abc import Callable, Mapping

import polars as pl

from ml_orchestrator.datasets.columns import check_named
from ml_orchestrator.datasets.date_texts import read_dates
from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.number_texts import read_as_numbers
from ml_orchestrator.errors import InvalidInputError

__all__ = ["retyped"]

TRUE = ("true", "t", "yes", "y", "1", "1.0")
FALSE = ("false", "f", "no", "n", "0", "0.0")
MAX_SHOWN_CHARS = 60


def retyped(frame: pl.DataFrame, types: Mapping[str, ColumnType]) -> pl.DataFrame:
    """Return a normalised frame with some columns read as another type, or without them.

    Args:
        frame: the table as it was read.
        types: column names to types. ``numeric``: text is read as numbers. ``categorical``:
            numbers and times become labels, whole numbers without a point. ``boolean``: 1 and 0
            or the words true, yes, t, y and false, no, f, n, in any case. ``temporal``: text
            is read as ISO 8601 dates or times, zoned ones in UTC. ``ignore``: the column is
            left out.

    Raises:
        InvalidInputError: no such column, no other column is left, or a value cannot be read
            so; the message names the column, the row (1 is the first) and the value.
    """
    for name, wanted in types.items():
        check_named(frame, name, "ignore" if wanted == "ignore" else f"read as {wanted}")
    kept = [
        _READ[types[column.name]](column) if column.name in types else column
        for column in frame.get_columns()
        if types.get(column.name) != "ignore"
    ]
    if not kept:
        raise InvalidInputError("Every column is to be ignored; leave at least one.")
    return pl.DataFrame(kept)


def _numeric(column: pl.Series) -> pl.Series:
    if column.dtype.is_numeric():
        return column
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    return _all_read(column, read_as_numbers(_texts(column, "numeric")), "numeric")


def _categorical(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise _cannot(column, "categorical")
    if column.dtype.is_float() and _are_whole(column):
        column = column.cast(pl.Int64)
    return column.cast(pl.String)


def _boolean(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Boolean:
        return column
    is_text = column.dtype == pl.String
    if not is_text and not column.dtype.is_numeric():
        raise _cannot(column, "boolean")
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    known = words.replace_strict(
        [*TRUE, *FALSE],
        [True] * len(TRUE) + [False] * len(FALSE),
        default=None,
        return_dtype=pl.Boolean,
    )
    return _all_read(column, known, "boolean")


def _temporal(column: pl.Series) -> pl.Series:
    if column.dtype.is_temporal():
        return column
    return _all_read(column, read_dates(_texts(column, "temporal")), "temporal")


def _texts(column: pl.Series, wanted: str) -> pl.Series:
    if column.dtype != pl.String:
        raise _cannot(column, wanted)
    return column


def _cannot(column: pl.Series, wanted: str) -> InvalidInputError:
    advice = " Times are written as ISO 8601 text." if wanted == "temporal" else ""
    return InvalidInputError(
        f"Column {column.name!r} is {column.dtype}, which cannot be read as {wanted}.{advice}"
    )


def _all_read(column: pl.Series, read: pl.Series, wanted: str) -> pl.Series:
    """Return what was read, unless a value was lost."""
    lost = (read.is_null() & column.is_not_null()).arg_true()
    if len(lost):
        row = int(lost[0])
        raise InvalidInputError(
            f"Column {column.name!r} cannot be read as {wanted}: row {row + 1} of "
            f"{len(column):,} holds {str(column[row])[:MAX_SHOWN_CHARS]!r}, and "
            f"{len(lost) - 1:,} other rows hold such values. Mend them or choose another type."
        )
    return read.alias(column.name)


def _are_whole(column: pl.Series) -> bool:
    values = column.drop_nulls()
    return bool((values.is_finite() & (values.abs() < 2**53) & (values == values.round())).all())


_READ: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "numeric": _numeric,
    "categorical": _categorical,
    "boolean": _boolean,
    "temporal": _temporal,
}
