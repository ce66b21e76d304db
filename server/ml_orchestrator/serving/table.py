"""Rows of requests as arrays: cheap to check, to put together and to make a frame of.

A model whose columns are all numbers gets one block of them; that saves most of what pandas
takes to build a frame of one row (0.03 ms instead of 0.3 for 30 columns).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.serving.signature import Column, check_names, check_rows, make_frame, to_array

__all__ = ["Table", "concatenated", "from_columns", "from_rows", "to_model_frame"]

Array = np.ndarray[Any, Any]
_NUMBERS = {"float", "double"}


@dataclass(frozen=True, slots=True)
class Table:
    """Checked rows: one block of numbers, (n_rows, n_columns), or one array per column."""

    n_rows: int
    block: Array | None = None
    arrays: tuple[Array, ...] = ()

    @property
    def layout(self) -> tuple[str, ...]:
        """Tables of the same layout can be put together without changing a value."""
        return ("block",) if self.block is not None else tuple(a.dtype.str for a in self.arrays)


def from_rows(rows: Any, columns: Sequence[Column], *, names: Any) -> Table:
    """Return lists of values, in the order of ``names`` or else of the model's columns.

    Raises:
        InvalidInputError: they are no lists of one length, or do not fit the columns.
    """
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InvalidInputError("The rows must be a list of lists.")
    check_rows(len(rows))
    expected = [column.name for column in columns]
    if names is None:
        names = expected
    elif not _are_names(names):
        raise InvalidInputError("columns must be a list of different names.")
    if any(len(row) != len(names) for row in rows):
        raise InvalidInputError(f"A row has not the expected {len(names)} values.")
    if names == expected and (block := _block(rows, columns)) is not None:
        return Table(n_rows=len(rows), block=block)
    return _picked(rows, names, columns)


def from_columns(values: Mapping[str, Sequence[Any]], columns: Sequence[Column]) -> Table:
    """Return one sequence of values for each column, all of one length.

    Raises:
        InvalidInputError: a value does not fit its column.
    """
    arrays = tuple(to_array(values[column.name], column) for column in columns)
    n_rows = len(arrays[0])
    if all(column.kind in _NUMBERS for column in columns):
        return Table(n_rows=n_rows, block=np.column_stack(arrays))
    return Table(n_rows=n_rows, arrays=arrays)


def concatenated(tables: Sequence[Table]) -> Table:
    """Put tables of one layout below each other."""
    if len(tables) == 1:
        return tables[0]
    n_rows = sum(table.n_rows for table in tables)
    blocks = [table.block for table in tables if table.block is not None]
    if blocks:
        return Table(n_rows=n_rows, block=np.concatenate(blocks))
    by_column = zip(*(table.arrays for table in tables), strict=True)
    return Table(n_rows=n_rows, arrays=tuple(np.concatenate(parts) for parts in by_column))


def to_model_frame(table: Table, columns: Sequence[Column], index: "pd.Index[Any]") -> pd.DataFrame:
    """Return the frame the model takes; ``index`` holds the names of its columns."""
    if table.block is not None:
        return pd.DataFrame(table.block, columns=index, copy=False)
    return make_frame(table.arrays, columns)


def _picked(rows: list[list[Any]], names: list[str], columns: Sequence[Column]) -> Table:
    place = {name: position for position, name in enumerate(names)}
    check_names(names, columns)
    return from_columns({c.name: [row[place[c.name]] for row in rows] for c in columns}, columns)


def _are_names(names: Any) -> bool:
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return is_list and len(set(names)) == len(names)


def _block(rows: list[list[Any]], columns: Sequence[Column]) -> Array | None:
    """Return numbers as one block; None if a value or a column needs a closer look."""
    if not all(column.kind in _NUMBERS for column in columns):
        return None
    if not all({*map(type, row)} <= {int, float} for row in rows):
        return None
    try:
        block = np.array(rows, dtype=np.float64)
    except OverflowError:
        return None
    return block if np.isfinite(block).all() else None
