"""Distances of two large samples by their cells: exact, with few of the values sorted.

Between two cell borders both distribution functions rise by known counts. Only cells in which the
answer is not settled by these are sorted. Each function returns None where more than half of the
values would be; sorting them all is then the faster way.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.cells import CellPair, CellSample

__all__ = ["area_between", "counts_below", "largest_gap"]

MOST_SORTED = 0.5  # of the values
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]


def largest_gap(pair: CellPair, step_x: int, step_y: int) -> int | None:
    """Return the largest ``|step_x #{x <= t} - step_y #{y <= t}|`` over all t.

    Args:
        pair: both samples.
        step_x: weight of a value of x; ``step_x n_x`` is ``step_y n_y``.
        step_y: weight of a value of y.

    >>> from ml_orchestrator.numerics.cells import cells_of
    >>> largest_gap(cells_of(np.arange(9_000.0), 2 * np.arange(9_000.0)), 1, 1)
    4500
    """
    below_x, below_y = pair.x.n_before * step_x, pair.y.n_before * step_y
    known = int(np.abs(below_x - below_y).max())
    can_be = np.maximum(below_x[1:] - below_y[:-1], below_y[1:] - below_x[:-1])
    is_open = can_be > known
    if pair.share_within(is_open) > MOST_SORTED:
        return None
    x, y = pair.x.sorted_within(is_open), pair.y.sorted_within(is_open)
    if not y.size:
        return known
    of_y = np.repeat(np.flatnonzero(is_open), pair.y.counts[is_open])
    own = (np.arange(y.size) + pair.y.n_skipped(is_open)[of_y]) * step_y
    skipped = pair.x.n_skipped(is_open)[of_y]
    n_before = np.searchsorted(x, y, side="left") + skipped
    n_up_to = np.searchsorted(x, y, side="right") + skipped
    above = int((n_before * step_x - own).max())
    below = int((own + step_y - n_up_to * step_x).max())
    return max(known, above, below)


def area_between(pair: CellPair) -> float | None:
    """Return the area between the two distribution functions, in the unit of the data."""
    n_x, n_y = pair.x.values.size, pair.y.values.size
    divisor = math.gcd(n_x, n_y)
    step_x, step_y = n_y // divisor, n_x // divisor
    gap = pair.x.n_before * step_x - pair.y.n_before * step_y
    rise, fall = pair.x.counts * step_x, pair.y.counts * step_y
    crosses = (gap[:-1] < fall) & (gap[:-1] > -rise)
    if pair.share_within(crosses) > MOST_SORTED:
        return None
    borders = pair.x.grid.borders()
    heights = pair.x.heights(borders) * step_x - pair.y.heights(borders) * step_y
    settled = np.abs(gap[:-1] * np.diff(borders) + heights)[~crosses]
    total = float(settled.sum()) + _crossed_area(pair, crosses, gap, borders, step_x, step_y)
    return total / (step_x * n_x)


def _crossed_area(
    pair: CellPair, crosses: Flags, gap: Counts, borders: Values, step_x: int, step_y: int
) -> float:
    """Return the area in the cells where the functions may cross, by all their values there."""
    x, y = (side.sorted_within(crosses) - side.grid.low for side in (pair.x, pair.y))
    starts = np.flatnonzero(crosses)
    ends = starts + 1
    places = np.concatenate([borders[starts], x, y, borders[ends]])
    rises = [gap[starts], np.full(x.size, step_x), np.full(y.size, -step_y), -gap[ends]]
    order = np.argsort(places, kind="stable")
    heights = np.abs(np.cumsum(np.concatenate(rises)[order])[:-1])
    return float(np.sum(heights * np.diff(places[order])))


def counts_below(sample: CellSample, edges: Values) -> Counts:
    """Return how many values lie below each edge.

    Args:
        sample: in cells.
        edges: within its grid, shape ``(n_edges,)``.
    """
    cells = sample.grid.cells(edges)
    is_open = np.zeros(sample.grid.n_cells + 1, dtype=np.bool_)
    is_open[cells] = True
    among = np.searchsorted(sample.sorted_within(is_open), edges, side="left")
    below: Counts = among + sample.n_skipped(is_open)[cells]
    return below
