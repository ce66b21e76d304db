"""Answered requests as rows of the serving log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.serving.chances import Chances
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.log_files import OwnColumns
from ml_orchestrator.serving.models import Prediction
from ml_orchestrator.serving.payload import read_table
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import AskChances
from ml_orchestrator.serving.table import Table

__all__ = ["Answered", "as_table"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A request, what a version said of it, and when (microseconds since 1970).

    ``ask`` asks that version for the chances of its classes; ``chances`` is what it said.
    """

    version: int
    columns: Sequence[Column]
    request: Request
    predictions: tuple[Prediction, ...]
    at_us: int
    ask: AskChances | None
    chances: Chances | None = None


def as_table(answered: Answered) -> pa.Table | None:
    """Return the rows of a request; None if they do not go with the predictions."""
    try:
        table = read_table(answered.request, answered.columns)
    except InvalidInputError:  # it was answered all the same: the columns are of another version
        return None
    if table.n_rows != len(answered.predictions):
        return None
    inputs = _arrays(table, answered.columns)
    own = OwnColumns.beside(inputs)
    n_rows = table.n_rows
    return pa.table(
        {
            **inputs,
            own.prediction: _predictions(answered.predictions),
            own.version: pa.array([answered.version] * n_rows, pa.int32()),
            own.served_at: pa.array([answered.at_us] * n_rows, pa.timestamp("us")),
            **_chances(own, answered.chances, n_rows),
        }
    )


def _chances(own: OwnColumns, chances: Chances | None, n_rows: int) -> dict[str, Any]:
    if chances is None or len(chances.values) != n_rows:
        return {}
    columns = enumerate(chances.classes)
    return {f"{own.chance}{name}": pa.array(chances.values[:, i]) for i, name in columns}


def _arrays(table: Table, columns: Sequence[Column]) -> dict[str, Any]:
    if table.block is not None:
        return {c.name: pa.array(table.block[:, i]) for i, c in enumerate(columns)}
    pairs = zip(columns, table.arrays, strict=True)
    return {c.name: pa.array(array, from_pandas=True) for c, array in pairs}


def _predictions(values: Sequence[Prediction]) -> pa.Array:
    kinds = set(map(type, values))
    if kinds <= {int, float} and kinds != {int}:
        return pa.array([float(value) for value in values])
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([str(value) for value in values])
