"""Columns of numbers that together are one vector, named by what their names begin with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["GROUP_MARK", "grouped", "groups_of"]

GROUP_MARK = "*"
Table = Mapping[str, NDArray[Any]]


def groups_of(names: Sequence[str], known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns behind each name that ends with ``*``, such as ``emb_*``.

    A column that has this very name is no group.

    Args:
        names: what to compare.
        known: columns of the reference, in its order.

    Raises:
        InvalidInputError: no column, or only one, begins like that.
    """
    found = {}
    for name in names:
        if not name.endswith(GROUP_MARK) or name in known:
            continue
        columns = tuple(c for c in known if c.startswith(name[:-1]))
        if len(columns) < 2:
            raise InvalidInputError(
                f"{name!r} stands for a vector of columns that begin with {name[:-1]!r}; the "
                f"reference has {len(columns)} of them. Its columns: {', '.join(known[:50])}."
            )
        found[name] = columns
    return found


def grouped(table: Table, groups: Mapping[str, Sequence[str]], *, side: str) -> Table:
    """Return the table with each group as a column of vectors, its parts left out.

    Args:
        table: equally long columns.
        groups: name of a vector to the names of its numbers, in their order.
        side: what to call the table in an error.

    Raises:
        InvalidInputError: a column of a group is absent or no number.
    """
    vectors = {}
    for name, columns in groups.items():
        for column in columns:
            if column not in table or table[column].dtype.kind not in "iuf":
                state = "holds no numbers" if column in table else "is absent"
                raise InvalidInputError(
                    f"Column {column!r} of the {side} sample, part of the vector {name!r}, {state}."
                )
        vectors[name] = np.column_stack([table[c].astype(np.float64) for c in columns])
    parts = {column for columns in groups.values() for column in columns}
    return {**{name: c for name, c in table.items() if name not in parts}, **vectors}
