"""The columns a model takes, and rows checked against them."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError

__all__ = [
    "MAX_ROWS",
    "Column",
    "check_names",
    "check_rows",
    "make_frame",
    "not_taken",
    "parse_columns",
    "to_array",
    "to_frame",
]

MAX_ROWS = 10_000
MAX_TEXT = 10_000
_DTYPES = {
    "boolean": "bool",
    "integer": "int64",
    "long": "int64",
    "float": "float64",
    "double": "float64",
    "string": "object",
    "datetime": "datetime64[us]",
}
_INTEGERS = {"integer", "long"}
_NUMBERS = {"float", "double"}
# Python types whose values need no closer look, by kind; a bool is not one of the ints here.
_PLAIN: dict[str, set[type]] = {
    "boolean": {bool},
    "integer": {int},
    "long": {int},
    "float": {int, float},
    "double": {int, float},
    "string": {str},
    "datetime": set(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One input of a model; ``kind`` is MLflow's name of its type."""

    name: str
    kind: str
    is_required: bool


def parse_columns(signature_inputs: str) -> tuple[Column, ...]:
    """Read the input columns from MLflow's signature.

    Raises:
        IntegrityViolationError: it is not a list of named columns of known types.
    """
    try:
        content = json.loads(signature_inputs)
        columns = tuple(
            Column(name=field["name"], kind=field["type"], is_required=field.get("required", True))
            for field in content
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityViolationError("The model's signature is not a list of columns.") from error
    names = [column.name for column in columns]
    is_text = all(isinstance(part, str) for c in columns for part in (c.name, c.kind))
    is_plain = is_text and len(set(names)) == len(names)
    if not names or not is_plain or any(column.kind not in _DTYPES for column in columns):
        raise IntegrityViolationError("The model's signature has columns of unknown kind.")
    return columns


def to_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Return ``rows`` as the frame the model takes, columns in its order.

    Columns that the model does not take are left out; ``not_taken`` names them.

    Args:
        rows: 1 to 10,000 mappings from every column to its value; null where one is missing.
        columns: The model's columns.

    Raises:
        InvalidInputError: a column is missing, or a value has the wrong type or is not finite;
            the message names the row and the column.
    """
    check_rows(len(rows))
    known = {column.name for column in columns}
    required = {column.name for column in columns if column.is_required}
    for index, row in enumerate(rows):
        _check_names(index, row, known, required)
    return make_frame([to_array([row[c.name] for row in rows], c) for c in columns], columns)


def not_taken(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the sentence on columns of rows that the model does not take; none without any."""
    known = {column.name for column in columns}
    others = sorted(str(name)[:80] for name in set().union(*rows) - known)
    if not others:
        return ()
    more = f" and {len(others) - 10:,} more" if len(others) > 10 else ""
    return (f"Not used, since the model does not take it: {', '.join(others[:10])}{more}.",)


def check_names(given: Collection[str], columns: Sequence[Column]) -> None:
    """Raise ``InvalidInputError`` unless every column is among the names that are given.

    A column that may miss values is named all the same: a mistyped name would else pass for one.
    """
    missing = [column.name for column in columns if column.name not in given]
    if missing:
        unknown = sorted(str(name)[:80] for name in set(given) - {c.name for c in columns})
        besides = f" It does not know {', '.join(unknown[:10])}." if unknown else ""
        raise InvalidInputError(
            f"Model is missing inputs {', '.join(sorted(missing)[:10])}; send null where a value "
            f"is missing.{besides}"
        )


def check_rows(n_rows: int) -> None:
    """Raise ``InvalidInputError`` unless that many rows can be predicted at once."""
    if not 1 <= n_rows <= MAX_ROWS:
        raise InvalidInputError(f"Between 1 and {MAX_ROWS} rows can be predicted, not {n_rows}.")


def make_frame(arrays: Sequence[np.ndarray[Any, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Put arrays of one length, one per column, together."""
    kept = (  # pandas 3 would make its own text type of an array of objects
        pd.Series(array, dtype="object", copy=False) if array.dtype == object else array
        for array in arrays
    )
    return pd.DataFrame(dict(zip((c.name for c in columns), kept, strict=True)), copy=False)


def _check_names(index: int, row: Mapping[str, Any], known: set[str], required: set[str]) -> None:
    missing = sorted(
        name for name in known if name not in row or (name in required and row[name] is None)
    )
    if missing:
        unknown = sorted(str(name)[:80] for name in row.keys() - known)
        faults = [f"has no value for {', '.join(missing[:10])}"]
        if unknown:  # of which one may be a missing one, mistyped
            faults.append(f"has columns the model does not know: {', '.join(unknown[:10])}")
        takes = ", ".join(sorted(known)[:30])
        may_miss = [name for name in missing if name not in required]
        mend = f" Send null for {may_miss[0]} where it is not known." if may_miss else ""
        raise InvalidInputError(
            f"Row {index} {' and '.join(faults)}.{mend} The model takes: {takes}."
        )


def to_array(values: Sequence[Any], column: Column) -> np.ndarray[Any, Any]:
    """Return the values of one column in the type its model was trained on.

    Raises:
        InvalidInputError: a value has the wrong type, is not finite, or misses where one is
            required; the message names the row and the column.
    """
    kinds = set(map(type, values))
    if kinds <= _PLAIN[column.kind] and (plain := _plain_array(values, column.kind)) is not None:
        return plain
    checked = [_value(index, value, column) for index, value in enumerate(values)]
    has_missing = NoneType in kinds
    dtype = _DTYPES[column.kind]
    if has_missing and column.kind in _INTEGERS:
        dtype = "float64"
    if column.kind == "string" or (has_missing and column.kind == "boolean"):
        return _objects([np.nan if value is None else value for value in checked])
    return np.array(checked, dtype=dtype)


def _plain_array(values: Sequence[Any], kind: str) -> np.ndarray[Any, Any] | None:
    """Return the array if no value needs a closer look; None if one does."""
    try:
        if kind == "string":
            return _objects(values) if max(map(len, values)) <= MAX_TEXT else None
        array = np.array(values, dtype=_DTYPES[kind])
    except OverflowError:
        return None
    return array if kind not in _NUMBERS or np.isfinite(array).all() else None


def _objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _value(index: int, value: Any, column: Column) -> Any:
    if value is None and not column.is_required:
        return None
    if column.kind == "boolean" and isinstance(value, bool):
        return value
    if column.kind == "string" and isinstance(value, str) and len(value) <= MAX_TEXT:
        return value
    if column.kind == "datetime" and isinstance(value, str):
        return _moment(index, value, column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(index, value, column)
    raise _refused(index, value, column)


def _number(index: int, value: float, column: Column) -> float:
    is_usable = abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)
    if is_usable and column.kind in _NUMBERS:
        return float(value)
    if is_usable and column.kind in _INTEGERS and abs(value) < 2**63 and value == int(value):
        return int(value)
    raise _refused(index, value, column)


def _moment(index: int, value: str, column: Column) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _refused(index, value, column) from None
    if moment.tzinfo is not None:
        raise _refused(index, value, column)
    return moment


def _refused(index: int, value: Any, column: Column) -> InvalidInputError:
    wanted = {
        "boolean": "true or false",
        "string": f"text of at most {MAX_TEXT} characters",
        "datetime": "a time such as 2024-01-31T12:00:00, without a zone",
        "integer": "a whole number",
        "long": "a whole number",
    }.get(column.kind, "a finite number")
    is_huge = isinstance(value, int) and abs(value) >= 2**63  # too long to write out
    shown = "a number beyond 64 bits" if is_huge else repr(value)[:80]
    return InvalidInputError(
        f"Row {index}, column {column.name!r}: {shown} is not {wanted}.{_advice(value, column)}"
    )


def _advice(value: Any, column: Column) -> str:
    """Say what to send instead, or how a model would come to take the value."""
    is_known = isinstance(value, float) and math.isfinite(value) and value != int(value)
    if is_known and column.kind in _INTEGERS:
        types = f'{{{json.dumps(column.name)}: "numeric"}}'
        return (
            " The model was trained on whole numbers alone. Round it, or train again with decimal "
            f"numbers in this column (a CSV: column_types {types})."
        )
    if not column.is_required:
        return " Use null for a missing value."
    return " In training no value was missing here; give one." if value is None else ""
