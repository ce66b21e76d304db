"""Columns that say something of a row: its target, its order, its group and its weight."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.columns import check_column
from ml_orchestrator.datasets.kinds import column_kind
from ml_orchestrator.datasets.known_rows import has_value, left_out
from ml_orchestrator.datasets.number_texts import stray_cell
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec

__all__ = ["complete_rows", "groups_of", "target_of", "times_of", "weights_of"]


def target_of(spec: TrainingSpec, dataset: Dataset) -> str:
    """Return the name of the target.

    Raises:
        InvalidInputError: there is none, a column does not exist, or one has two roles.
    """
    target = spec.target or dataset.default_target
    if target is None:
        known = ", ".join(dataset.frame.columns[:50])
        raise InvalidInputError(f"No target given for {spec.source!r}; columns: {known}.")
    roles = {
        target: "target",
        spec.time_column: "time column",
        spec.group_column: "group column",
        spec.weight_column: "weight column",
    }
    for name, role in roles.items():
        if name is not None:
            _refuse_ignored(spec, name, role)
            check_column(dataset.frame, name, role)
    if target in (spec.time_column, spec.group_column, spec.weight_column):
        raise InvalidInputError(
            f"{target!r} cannot be the target and order, group or weigh the rows too."
        )
    if spec.time_column is not None and spec.time_column == spec.group_column:
        raise InvalidInputError(
            f"{spec.time_column!r} cannot order the rows and name their series."
        )
    return target


def _refuse_ignored(spec: TrainingSpec, name: str, role: str) -> None:
    if spec.column_types.get(name) == "ignore":
        raise InvalidInputError(
            f"Column {name!r} is the {role}, so it cannot be ignored. Take it out of column_types, "
            f"or choose another {role}."
        )


def complete_rows(
    spec: TrainingSpec, frame: pl.DataFrame, target: str
) -> tuple[pl.DataFrame, NDArray[np.int64], list[str]]:
    """Return the rows that can be used, which they are, counted from 0, and what was lost.

    Raises:
        InvalidInputError: there are none.
    """
    if frame.height == 0:
        raise InvalidInputError(f"{spec.source!r} has no rows to train on.")
    if column_kind(frame[target]) in ("empty", "unsupported"):
        raise InvalidInputError(
            f"The target {target!r} has no usable value in {frame.height:,} rows "
            f"({frame[target].dtype}). Choose another target."
        )
    roles = (spec.time_column, spec.group_column, spec.weight_column)
    needed = [target, *(name for name in roles if name is not None)]
    is_known = [has_value(frame[target]), *(frame[name].is_not_null() for name in needed[1:])]
    rows = np.flatnonzero(np.all([known.to_numpy() for known in is_known], axis=0))
    complete = frame[rows]
    n_lost = frame.height - complete.height
    if complete.height == 0:
        raise InvalidInputError(f"No row has a value in each of: {', '.join(needed)}.")
    return complete, rows, left_out(n_lost, needed)


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
    """Return a number for each group, by row; None where each row is one of its own.

    Where rows are in time order, a group is the rows of one time, and its number that of the time:
    the group column names series then, of which each has its past among the rows to learn from
    and its future among those to predict.
    """
    if spec.time_column is not None:
        times = frame[spec.time_column]
        return None if times.n_unique() == len(times) else _ranks(times)
    if spec.group_column is None:
        return None
    column = frame[spec.group_column]
    if column_kind(column) == "unsupported":
        raise InvalidInputError(f"The group column {column.name!r} is {column.dtype}.")
    return _ranks(column)


def _ranks(column: pl.Series) -> NDArray[np.int64]:
    ranks: NDArray[np.int64] = column.rank("dense").cast(pl.Int64).to_numpy()
    return ranks


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
        told = stray_cell(column)
        raise InvalidInputError(
            f"The weight column {column.name!r} is {column.dtype}, no number."
            f"{told and f' Of complete rows, {told}; correct it, or leave out its row.'}"
        )
    weights: NDArray[np.float64] = column.cast(pl.Float64).to_numpy()
    wrong = np.flatnonzero(~((weights > 0) & np.isfinite(weights)))
    if len(wrong):
        raise InvalidInputError(
            f"{len(wrong):,} weights in {column.name!r} are not above 0 and finite, first "
            f"{weights[wrong[0]]:g} in row {rows[wrong[0]] + 1:,}. Leave out rows that shall not "
            "count, or correct their weight."
        )
    return weights
