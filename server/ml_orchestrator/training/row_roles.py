"""Columns that order, group or weigh the rows, as numbers."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.kinds import column_kind
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec

__all__ = ["groups_of", "times_of", "weights_of"]


def times_of(spec: TrainingSpec, frame: pl.DataFrame) -> NDArray[np.float64] | None:
    """Return numbers that order the rows; None where no order is asked for."""
    if spec.time_column is None:
        return None
    column = frame[spec.time_column]
    if column_kind(column) not in ("numeric", "temporal"):
        raise InvalidInputError(
            f"The time column {column.name!r} holds {column.dtype}; numbers, dates or ISO 8601 "
            "times are needed."
        )
    times: NDArray[np.float64] = column.to_physical().cast(pl.Float64).to_numpy()
    return times


def groups_of(spec: TrainingSpec, frame: pl.DataFrame) -> NDArray[np.int64] | None:
    """Return a number for each group, by row; None where no groups are asked for."""
    if spec.group_column is None:
        return None
    column = frame[spec.group_column]
    if column_kind(column) == "unsupported":
        raise InvalidInputError(f"The group column {column.name!r} is {column.dtype}.")
    groups: NDArray[np.int64] = column.rank("dense").cast(pl.Int64).to_numpy()
    return groups


def weights_of(
    spec: TrainingSpec, frame: pl.DataFrame, rows: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return how much each row counts; None where all count alike.

    ``rows`` says which rows of the source these are, counted from 0, for what is refused.
    """
    if spec.weight_column is None:
        return None
    column = frame[spec.weight_column]
    if not column.dtype.is_numeric():
        raise InvalidInputError(f"The weight column {column.name!r} is {column.dtype}, no number.")
    weights: NDArray[np.float64] = column.cast(pl.Float64).to_numpy()
    wrong = np.flatnonzero(~((weights > 0) & np.isfinite(weights)))
    if len(wrong):
        raise InvalidInputError(
            f"{len(wrong):,} weights in {column.name!r} are not above 0 and finite, first "
            f"{weights[wrong[0]]:g} in row {rows[wrong[0]] + 1:,}. Leave out rows that shall not "
            "count, or correct their weight."
        )
    return weights
