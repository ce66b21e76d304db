"""Samples as callers name or give them: files, built-in data, baselines, rows of the call."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.datasets.row_names import id_like_columns, time_columns
from ml_orchestrator.datasets.row_numbers import MOST_REPEATED, numbers_or_names_rows
from ml_orchestrator.datasets.source_names import BUILTIN_PREFIX
from ml_orchestrator.datasets.sources import Dataset, columns_as_arrays, load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import near
from ml_orchestrator.health.baseline import Baseline
from ml_orchestrator.health.baseline_store import BaselineStore
from ml_orchestrator.health.chunks import Timeline
from ml_orchestrator.health.drift.contract import Columns, Sample
from ml_orchestrator.health.options import BASELINE_PREFIX, InlineTable
from ml_orchestrator.health.schema_changes import split_by_schema
from ml_orchestrator.health.vector_groups import grouped
from ml_orchestrator.settings import Settings

__all__ = ["SampleReader", "Side", "side_of", "side_of_baseline"]

_AS_FOUND: Mapping[str, ColumnType] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        columns: for tests of one column; shape ``(n_rows,)`` each, or samples made ready.
        rows: for tests of all columns together, and to be cut by time; equally long arrays.
        notices: what to know of how they were read.
        times: columns that hold dates or times.
        id_like: columns that only number or name their rows; of columns of the call, none is known.
    """

    columns: Columns
    rows: Mapping[str, NDArray[Any]]
    notices: tuple[str, ...] = ()
    times: frozenset[str] = frozenset()
    id_like: frozenset[str] = frozenset()

    def left_out(self, names: Collection[str], now: "Columns | None" = None) -> list[str]:
        """Return which of these columns a comparison leaves out unless they are named.

        Those that only number or name rows, and dates and times, which go on from one file to the
        next; none if there are no others. An id whose values repeat in the current sample does not
        name its rows any more, which is worth comparing; so is a date that is gone, has no value
        any more, or is read as another type.

        Args:
            names: of columns.
            now: the current sample, where it is known.
        """
        ids = [name for name in names if name in self.id_like]
        times = [name for name in names if name in self.times]
        if now is not None:
            ids = [name for name in ids if name not in now or _hardly_repeats(now[name])]
            times, _ = split_by_schema(self.columns, now, times)
        return [*ids, *times] if len(ids) + len(times) < len(names) else []

    def with_groups(self, groups: Mapping[str, Sequence[str]], *, side: str) -> "Side":
        """Return the same with each group of columns as one column of vectors.

        Raises:
            InvalidInputError: a column of a group is absent or no number.
        """
        rows = grouped(self.rows, groups, side=side)
        kept = {name: c for name, c in self.columns.items() if name in rows}
        vectors = {name: rows[name] for name in groups}
        return replace(self, columns={**kept, **vectors}, rows=rows)

    def timeline(self, column: str) -> Timeline:
        """Return when each row was.

        Raises:
            InvalidInputError: no such column, or it holds text.
        """
        if column not in self.rows:
            raise InvalidInputError(
                f"The current sample has no column {column!r}{near(column, self.rows)}; it has "
                f"{', '.join(self.rows)}."
            )
        values = self.rows[column]
        if values.dtype == object:
            shown = next((value for value in values if value is not None), None)
            raise InvalidInputError(
                f"Column {column!r} holds text such as {shown!r}; a time column holds dates, "
                "times or numbers. Write dates as 2026-01-31 or 2026-01-31T12:00:00."
            )
        return Timeline(values, is_time=column in self.times)


class SampleReader:
    """Reads samples inside the allowed roots, and baselines of the data directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._baselines = BaselineStore(settings.home)

    def dataset(self, source: str, column_types: Mapping[str, ColumnType] = _AS_FOUND) -> Dataset:
        """Return a built-in data set or a file; errors are those of `load_dataset`."""
        settings = self._settings
        return load_dataset(
            source,
            roots=settings.roots,
            max_bytes=settings.max_data_bytes,
            column_types=column_types,
        )

    def baseline(self, name: str) -> Baseline:
        """Return a kept baseline, with or without its prefix.

        Raises:
            NotFoundError: there is none of that name.
            IntegrityViolationError: its file is damaged.
        """
        return self._baselines.load(name.removeprefix(BASELINE_PREFIX))

    def stamp(self, source: str) -> tuple[int, ...] | None:
        """Return size, time (ns) and inode of the file behind a source; None for a built-in.

        While they stay, so does what the source holds.

        Raises:
            OrchestratorError: there is no such file or baseline, or it is not allowed.
        """
        if source.startswith(BUILTIN_PREFIX):
            return None
        if source.startswith(BASELINE_PREFIX):
            return self._baselines.stamp(source.removeprefix(BASELINE_PREFIX))
        found = resolve_allowed(source, self._settings.roots).stat()
        return found.st_size, found.st_mtime_ns, found.st_ino

    def pair(
        self,
        reference: str | InlineTable,
        current: str | InlineTable,
        column_types: Mapping[str, ColumnType],
    ) -> tuple[Side, Side]:
        """Return both sides of a comparison.

        Args:
            reference: a source, ``baseline:NAME``, or columns.
            current: likewise.
            column_types: how columns of files and built-in data are read; a baseline is as it
                was saved.

        Raises:
            InvalidInputError: types are given for columns of the call, or no file is read.
            OrchestratorError: a sample cannot be read; the message says which.
        """
        if column_types:
            _check_types_are_read(reference, current)
        return self.side(reference, column_types), self.side(current, column_types)

    def side(
        self, sample: str | InlineTable, column_types: Mapping[str, ColumnType] = _AS_FOUND
    ) -> Side:
        """Return one sample: a source, ``baseline:NAME``, or columns; errors as for `pair`."""
        if not isinstance(sample, str):
            return self.inline(sample)
        if sample.startswith(BASELINE_PREFIX):
            return side_of_baseline(self.baseline(sample))
        return side_of(self.dataset(sample, column_types))

    def inline(self, sample: InlineTable) -> Side:
        """Return columns of the call.

        Raises:
            InvalidInputError: one mixes text and numbers.
        """
        arrays = {name: _array(name, values) for name, values in sample.items()}
        return Side(arrays, arrays)


def side_of(dataset: Dataset) -> Side:
    """Return a data set as one side of a comparison."""
    arrays, frame = columns_as_arrays(dataset.frame), dataset.frame
    return Side(arrays, arrays, dataset.notices, time_columns(frame), id_like_columns(frame))


def side_of_baseline(baseline: Baseline) -> Side:
    """Return a kept baseline as one side of a comparison."""
    columns = baseline.facts.get("expectations", {}).get("columns", ())
    times = frozenset(column["name"] for column in columns if column["kind"] == "temporal")
    ids = (n for n, s in baseline.samples.items() if n not in times and _is_id_like(s.values))
    return Side(baseline.samples, baseline.rows, times=times, id_like=frozenset(ids))


def _hardly_repeats(column: NDArray[Any] | Sample) -> bool:
    values = column.values if isinstance(column, Sample) else column
    if values.ndim != 1:
        return False
    if values.dtype == object:
        kept = [value for value in values.tolist() if value is not None]
        return len(set(kept)) >= (1 - MOST_REPEATED) * len(kept)
    known = values[np.isfinite(values)]
    return bool(np.unique(known).size >= (1 - MOST_REPEATED) * known.size)


def _is_id_like(values: NDArray[Any]) -> bool:
    """Return whether values without missing ones are id-like; whole numbers may be floats."""
    if values.ndim != 1:
        return False
    if values.dtype != object:
        return numbers_or_names_rows(pl.Series(values))
    kept = [value for value in values.tolist() if value is not None]
    is_text = all(isinstance(value, str) for value in kept)
    return is_text and numbers_or_names_rows(pl.Series(kept, dtype=pl.String))


def _check_types_are_read(*samples: str | InlineTable) -> None:
    if any(not isinstance(sample, str) for sample in samples):
        raise InvalidInputError(
            "column_types says how columns of a file are read, and a sample was given as columns. "
            "Write its values as they are meant (text is categories), or put it in a file."
        )
    if all(str(sample).startswith(BASELINE_PREFIX) for sample in samples):
        raise InvalidInputError(
            "column_types says how columns of a file are read, and both samples are baselines. "
            "Leave it out, or save the baselines with it (baseline_save)."
        )


def _array(name: str, values: Sequence[float | str | None]) -> NDArray[Any]:
    """Return numbers as float64 with NaN for missing, text as objects with None for missing."""
    if any(isinstance(value, str) for value in values):
        if any(isinstance(value, int | float) for value in values):
            raise InvalidInputError(
                f"Column {name!r} mixes text and numbers. Give all numbers, or all text."
            )
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values])
