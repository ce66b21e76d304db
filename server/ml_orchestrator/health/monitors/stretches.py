"""Stretches of a reference that are as long as a look and begin at the same time of day.

Data with a daily or weekly cycle differ from stretch to stretch without having changed. Rows drawn
at random know nothing of that; whole stretches of the reference do (Künsch, 1989: the jackknife
and the bootstrap for general stationary observations, whose blocks these are).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "LEAST_STRETCHES", "Stretch", "Stretches", "stretch_of", "stretches_of"]

GRID = 1.25  # ratio of the sizes of looks that share limits
HOUR_S, DAY_S = 3_600.0, 86_400.0
LEAST_STRETCHES = 8  # side by side, from which cycles can be told


@dataclass(frozen=True, slots=True)
class Stretch:
    """When the rows of a look were, in whole hours, or on a grid where times are plain numbers.

    Attributes:
        start: seconds after midnight (UTC); 0 for plain numbers, whose cycles are not known.
        span: how long it is, in the units of the time column (seconds for dates and times).
        step: how far apart the starts of stretches are: a day, or the span of plain numbers.
    """

    start: float
    span: float
    step: float

    @property
    def unit(self) -> float:
        """What starts and ends are rounded to; 0 for plain numbers."""
        return HOUR_S if self.step == DAY_S else 0.0


@dataclass(frozen=True, slots=True)
class Stretches:
    """Rows of a reference, by stretch; ``n_apart`` of the stretches do not overlap."""

    rows: tuple[NDArray[np.intp], ...]
    n_apart: int


def stretch_of(times: NDArray[Any], *, is_time: bool) -> Stretch | None:
    """Return the stretch that a look takes; None if it is of one moment of a plain number, or none.

    Args:
        times: seconds since 1970, or plain numbers, shape ``(n_rows,)``; NaN is missing.
        is_time: whether they are dates or times.

    >>> stretch_of(np.array([0.0, 86_399.0]), is_time=True)
    Stretch(start=0.0, span=86400.0, step=86400.0)
    """
    known = times[np.isfinite(times)]
    if not known.size:
        return None
    first, last = float(known.min()), float(known.max())
    if is_time:
        start = math.floor(first / HOUR_S) * HOUR_S
        end = math.floor(last / HOUR_S) * HOUR_S + HOUR_S
        return Stretch(start % DAY_S, end - start, DAY_S)
    if last <= first:
        return None
    span = GRID ** math.floor(math.log(last - first) / math.log(GRID))
    return Stretch(0.0, span, span)


def stretches_of(times: NDArray[Any], stretch: Stretch, *, least_rows: int) -> Stretches:
    """Return the stretches of a reference like that of a look, earliest first.

    A stretch begins where rows are: none is empty in its first step, and there are no more of them
    than rows, however short a look was.

    Args:
        times: of the reference, as for `stretch_of`; rows without one are in no stretch.
        stretch: of the look.
        least_rows: stretches with fewer are left out.
    """
    order = np.argsort(times, kind="stable")
    order = order[np.isfinite(times[order])]
    if not order.size:
        return Stretches((), 0)
    known = times[order].astype(np.float64)
    first, end = _whole(float(known[0]), float(known[-1]), stretch)
    begin = first + (stretch.start - first) % stretch.step if stretch.unit else first
    starts = _starts(known, begin, end - stretch.span, stretch.step)
    lows = np.searchsorted(known, starts, side="left")
    highs = np.searchsorted(known, starts + stretch.span, side="left")
    pairs = zip(lows.tolist(), highs.tolist(), strict=True)
    kept = tuple(order[low:high] for low, high in pairs if high - low >= max(1, least_rows))
    overlapping = max(1.0, stretch.span / stretch.step)
    return Stretches(kept, math.ceil(len(kept) / overlapping))


def _starts(
    known: NDArray[np.float64], begin: float, last: float, step: float
) -> NDArray[np.float64]:
    """Return ``begin`` and every step after it up to ``last`` from which on a row is in a step."""
    with np.errstate(over="ignore"):  # of numbers that are no times; what is infinite is after last
        steps = np.unique(np.floor((known - begin) / step))
        starts = begin + steps[steps >= 0] * step
    return starts[starts <= last + 1e-6 * step]


def _whole(first: float, last: float, stretch: Stretch) -> tuple[float, float]:
    """Return where a reference begins and ends, as the ends of a look are rounded."""
    unit = stretch.unit
    if not unit:
        return first, math.nextafter(last, math.inf)
    return math.floor(first / unit) * unit, math.floor(last / unit) * unit + unit
