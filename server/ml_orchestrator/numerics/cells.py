"""Large samples in cells, sorted no further than a question needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.samples import SampleLike, SortedSample, finite_sample

__all__ = ["LEAST_VALUES", "CellPair", "CellSample", "Grid", "cells_of"]

LEAST_VALUES = 10_000  # of both samples, below which sorting is as fast
VALUES_A_CELL = 16
MOST_CELLS = 2**15
MOST_CROWDED = 64  # times as full as the average; then cells say little
LEAST_CROWD = 32  # values looked at in one cell that are a crowd
N_LOOKED_AT = 8_000
BLOCK = 2**15  # values at once: they stay in the cache
Counts = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells 0 to ``n_cells`` from ``low`` on, ``per_unit`` of them in a unit of the scale.

    The scale is the distance from ``low`` or, where ``is_rooted``, its square root, which gives
    skewed samples narrow cells where most of them lies. Rounding moves no value past another,
    since differences, roots and products are rounded rightly: a larger value is never in an
    earlier cell, and equal values share theirs.
    """

    low: float
    per_unit: float
    n_cells: int
    is_rooted: bool

    @classmethod
    def over(cls, low: float, high: float, n_cells: int, *, is_rooted: bool) -> "Grid":
        """Return a grid from the least to the largest value."""
        with np.errstate(over="ignore", divide="ignore"):
            span = np.float64(high) - np.float64(low)
            per_unit = n_cells / (np.sqrt(span) if is_rooted else span)
        return cls(float(low), float(per_unit), n_cells, is_rooted)

    @property
    def is_sound(self) -> bool:
        """Whether the width of a cell is a number; it is not where all values are equal."""
        return bool(np.isfinite(self.per_unit)) and self.per_unit > 0

    def cells(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Return the cell of each value."""
        places = values - self.low
        if self.is_rooted:
            np.sqrt(places, out=places)
        places *= self.per_unit
        return places.astype(np.intp)

    def borders(self) -> Values:
        """Return where cells begin, as distances from ``low``, shape ``(n_cells + 2,)``."""
        borders: Values = np.arange(self.n_cells + 2) / self.per_unit
        return np.square(borders) if self.is_rooted else borders


@dataclass(frozen=True, slots=True)
class CellSample:
    """One sample in cells.

    Attributes:
        grid: the cells.
        values: the sample as it came, shape ``(n,)``.
        cells: the cell of each value, shape ``(n,)``.
        n_before: values in earlier cells, shape ``(n_cells + 2,)``; the last is ``n``.
    """

    grid: Grid
    values: NDArray[Any]
    cells: NDArray[np.uint16]
    n_before: Counts

    @classmethod
    def of(cls, grid: Grid, values: NDArray[Any]) -> "CellSample":
        """Put a finite sample into cells that hold it."""
        cells = np.empty(values.size, dtype=np.uint16)
        n_before = np.zeros(grid.n_cells + 2, dtype=np.int64)
        for block in _blocks(values.size):
            of_block = grid.cells(values[block])
            cells[block] = of_block
            n_before[1:] += np.bincount(of_block, minlength=grid.n_cells + 1)
        return cls(grid, values, cells, np.cumsum(n_before))

    @property
    def counts(self) -> Counts:
        """Values in each cell, shape ``(n_cells + 1,)``."""
        return np.diff(self.n_before)

    def heights(self, borders: Values) -> Values:
        """Return for each cell the sum of its values' distances to its end."""
        sums = np.zeros(self.grid.n_cells + 1)
        for block in _blocks(self.values.size):
            cells = self.cells[block].astype(np.intp)
            left = borders[1:][cells] - (self.values[block] - self.grid.low)
            sums += np.bincount(cells, left, minlength=sums.size)
        return sums

    def sorted_within(self, is_wanted: NDArray[np.bool_]) -> Values:
        """Return the values in some of the cells, in ascending order.

        Args:
            is_wanted: shape ``(n_cells + 1,)``.
        """
        parts = [
            self.values[block][is_wanted[self.cells[block]]] for block in _blocks(self.values.size)
        ]
        found: Values = np.sort(np.concatenate(parts)).astype(np.float64)
        return found

    def n_skipped(self, is_wanted: NDArray[np.bool_]) -> Counts:
        """Return for each cell how many values of earlier cells are not wanted.

        So much is to be added to a rank among `sorted_within`.
        """
        kept = np.concatenate([[0], np.cumsum(np.where(is_wanted, self.counts, 0))[:-1]])
        skipped: Counts = self.n_before[:-1] - kept
        return skipped


@dataclass(frozen=True, slots=True)
class CellPair:
    """Two samples in the same cells."""

    x: CellSample
    y: CellSample

    def share_within(self, is_wanted: NDArray[np.bool_]) -> float:
        """Return which share of all values lies in some of the cells."""
        n_within = (self.x.counts + self.y.counts)[is_wanted].sum()
        return float(n_within / (self.x.values.size + self.y.values.size))


def cells_of(x: SampleLike, y: SampleLike) -> CellPair | None:
    """Return two samples in common cells; None where that does not help.

    It does not where both are sorted, with fewer than 10,000 values, or where one cell holds 64
    times as many as the average on either scale: few distinct values, or some that lie far out.

    Args:
        x: first sample, shape ``(n_x,)``.
        y: second sample, shape ``(n_y,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    >>> pair = cells_of(np.linspace(0, 1, 8_000), np.linspace(0, 2, 8_000))
    >>> pair.x.n_before[[0, 250, -1]].tolist()  # the 1,000 cells are from 0 to 2
    [0, 4000, 8000]
    """
    first, second = finite_sample(x, "x"), finite_sample(y, "y")
    are_sorted = isinstance(x, SortedSample) and isinstance(y, SortedSample)
    if are_sorted or first.size + second.size < LEAST_VALUES:
        return None
    grid = _grid(first, second)
    if grid is None:
        return None
    return CellPair(CellSample.of(grid, first), CellSample.of(grid, second))


def _grid(x: Values, y: Values) -> Grid | None:
    """Return a grid in which no cell is crowded; None if there is none of ours."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    n_cells = min(MOST_CELLS, (x.size + y.size) // VALUES_A_CELL)
    for is_rooted in (False, True):
        grid = Grid.over(low, high, n_cells, is_rooted=is_rooted)
        if grid.is_sound and not any(_is_crowded(grid, side) for side in (x, y)):
            return grid
    return None


def _is_crowded(grid: Grid, values: NDArray[Any]) -> bool:
    """Whether a cell seems to hold far more than the average, by every so many of the values."""
    some = values[:: max(1, values.size // N_LOOKED_AT)]
    fullest = int(np.bincount(grid.cells(some)).max())
    return fullest > max(MOST_CROWDED * some.size / grid.n_cells, LEAST_CROWD)


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, start + BLOCK)
