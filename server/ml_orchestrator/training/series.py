"""Rows of time series on a grid of steps, and what was known some steps before each.

Rows of a series are put in time order; from one to the next it is as many steps as the usual
spacing fits between them. So a missing week is a gap and not a shift, months of different length
are one step each, and rows closer than half a step are in one place, where none looks at another.
Where a row lies depends on earlier rows only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Known", "Places", "place_rows", "seasons", "spacing"]

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

HALF_STEP = 0.5  # by which a time may miss its place on the grid
MOST_SERIES = 20  # whose seasons are looked at, the longest
SHORTEST_SEASON = 4  # steps
LONGEST_SEASON = 400
PERIODS_SEEN = 3  # of a season, at least
N_SEASONS = 2
CLEAR = 4.0  # deviations of an autocorrelation of noise
LEAST_CORRELATION = 0.2
STRONG_SHARE = 0.6  # of the strongest
NEAR = 1.2  # peaks that are at most so many times as long are of one season
MOST_STEPS = 200_000  # of a series whose seasons are looked for


def spacing(codes: Codes, times: Numbers) -> float:
    """Return the median time between neighbours of a series; 1 where no series has two times.

    Args:
        codes: a number for each series, shape ``(n_rows,)``.
        times: finite, in any order, shape ``(n_rows,)``.
    """
    order = np.lexsort((times, codes))
    gaps = np.diff(times[order])[np.diff(codes[order]) == 0]
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 1.0


@dataclass(frozen=True, slots=True)
class Places:
    """A place for each row: rows of one series differ by the steps between them.

    ``keys`` of shape ``(n_rows,)``; ``starts`` is below every key of the row's own series and
    above every key of the one before; ``times`` and ``step`` are those of ``place_rows``.
    """

    keys: Codes
    starts: Codes
    times: Numbers
    step: float

    def known(self, values: Numbers, *, horizon: int = 1) -> "Known":
        """Return what is known of a value, shape ``(n_rows,)``, NaN where it is not.

        ``horizon``: how many steps old it must be, by place and by time.
        """
        rows = np.flatnonzero(np.isfinite(values))
        rows = rows[np.lexsort((self.times[rows], self.keys[rows]))]
        least_age = (horizon - HALF_STEP) * self.step
        return Known(self, self.keys[rows], values[rows], self.times[rows], least_age)


@dataclass(frozen=True, slots=True)
class Known:
    """Known values in order of place; of several in one place the last counts.

    Steps are rounded gap by gap, so many short gaps in a row add up to more steps than their time
    is worth: a value whose ``times`` are not ``least_age`` before the row's is not told, either.
    """

    places: Places
    keys: Codes
    values: Numbers
    times: Numbers
    least_age: float

    def before(self, asked: Codes, offsets: Codes) -> Numbers:
        """Return what was known ``offsets`` steps before each asked row; NaN where nothing was.

        Args:
            asked: rows, shape ``(n_asked,)``.
            offsets: at least 1, at most the ``furthest`` of ``place_rows``, ``(n_offsets,)``.

        Returns:
            Shape ``(n_asked, n_offsets)``.
        """
        wanted = self.places.keys[asked][:, None] - offsets[None, :]
        at, is_there = self._latest(wanted)
        is_there &= self._key(at) == wanted
        is_there &= ~self._is_too_young(at, asked[:, None])
        return np.where(is_there, self._value(at), np.nan)

    def last(self, asked: Codes, offset: int) -> Numbers:
        """Return the last known value at least ``offset`` steps before; NaN without one."""
        at, is_there = self._latest(self.places.keys[asked] - offset)
        is_there &= self._key(at) > self.places.starts[asked]
        while (is_younger := is_there & self._is_too_young(at, asked)).any():
            at = np.where(is_younger, at - 1, at)
            is_there &= (at >= 0) & (self._key(at) > self.places.starts[asked])
        return np.where(is_there, self._value(at), np.nan)

    def steps_since(self, asked: Codes) -> Numbers:
        """Return how many steps before each asked row the last known value is; NaN without one."""
        keys = self.places.keys[asked]
        at, is_there = self._latest(keys - 1)
        found = self._key(at)
        return np.where(is_there & (found > self.places.starts[asked]), keys - found, np.nan)

    def _latest(self, wanted: Codes) -> tuple[Codes, NDArray[np.bool_]]:
        """Return which known value is the last at or before each key, and whether there is one."""
        at = (np.searchsorted(self.keys, wanted, side="right") - 1).astype(np.int64)
        return at, at >= 0

    def _is_too_young(self, at: Codes, asked: Codes) -> NDArray[np.bool_]:
        if len(self.times) == 0:
            return np.zeros(at.shape, bool)
        young: NDArray[np.bool_] = self.places.times[asked] - self.times[at] < self.least_age
        return young

    def _key(self, at: Codes) -> Codes:
        return self.keys[at] if len(self.keys) else at

    def _value(self, at: Codes) -> Numbers:
        return self.values[at] if len(self.keys) else np.zeros(at.shape)


def place_rows(codes: Codes, times: Numbers, *, step: float, furthest: int) -> Places:
    """Return the places of rows.

    Args:
        codes: a number for each series, shape ``(n_rows,)``.
        times: finite, in any order, shape ``(n_rows,)``.
        step: the usual time between neighbours, above 0.
        furthest: steps that will be looked back; a longer gap counts as one step more than that.
    """
    order = np.lexsort((times, codes))
    is_same = np.diff(codes[order], prepend=-1) == 0
    gaps = np.diff(times[order], prepend=0.0)
    moves = np.clip(np.rint(gaps / step), 0, furthest + 1).astype(np.int64)
    moves = np.where(is_same, moves, 2 * furthest + 2)  # a series lies clear of the one before
    keys, starts = np.empty_like(codes), np.empty_like(codes)
    keys[order] = np.cumsum(moves)
    first = np.maximum.accumulate(np.where(is_same, 0, np.arange(len(order))))
    starts[order] = keys[order][first] - 1
    return Places(keys, starts, times, step)


def seasons(places: Places, codes: Codes, values: Numbers) -> tuple[int, ...]:
    """Return up to two lengths, in steps, after which changes of the series come back.

    They are the shortest strong peaks of the autocorrelation of first differences, averaged over
    the 20 longest series, beyond four deviations of what noise gives; multiples do not count.
    """
    found, counts = np.zeros(LONGEST_SEASON + 2), np.zeros(LONGEST_SEASON + 2)
    numbers, sizes = np.unique(codes, return_counts=True)
    for code in numbers[np.argsort(-sizes, kind="stable")][:MOST_SERIES]:
        rows = np.flatnonzero((codes == code) & np.isfinite(values))
        if len(rows) < PERIODS_SEEN * SHORTEST_SEASON:
            continue
        sums, pairs = _products(places.keys[rows] - places.keys[rows].min(), values[rows])
        found[: len(sums)] += sums
        counts[: len(sums)] += pairs
    correlation = np.divide(found, counts, out=np.zeros_like(found), where=counts > 0)
    return _peaks(correlation, counts)


def _products(steps: Codes, values: Numbers) -> tuple[Numbers, Numbers]:
    """Return sums of products of standardised changes by lag, and how many pairs each has."""
    n_steps = int(steps.max()) + 1
    if n_steps > MOST_STEPS:
        return np.zeros(0), np.zeros(0)
    line = np.full(n_steps, np.nan)
    line[steps] = values
    changes = np.diff(line)
    is_known = np.isfinite(changes)
    known = changes[is_known]
    if len(known) < 2 or known.std() == 0:
        return np.zeros(0), np.zeros(0)
    standard = np.where(is_known, (changes - known.mean()) / known.std(), 0.0)
    n_lags = min(LONGEST_SEASON + 2, len(changes) // PERIODS_SEEN + 2, len(changes))
    return _by_lag(standard, n_lags), np.rint(_by_lag(is_known.astype(float), n_lags))


def _by_lag(line: Numbers, n_lags: int) -> Numbers:
    spectrum = np.fft.rfft(line, 2 * len(line))
    sums: Numbers = np.fft.irfft(np.abs(spectrum) ** 2)[:n_lags]
    return sums


def _peaks(correlation: Numbers, counts: Numbers) -> tuple[int, ...]:
    lags = np.arange(SHORTEST_SEASON, len(correlation) - 1)
    middle = correlation[lags]
    is_peak = (middle > correlation[lags - 1]) & (middle >= correlation[lags + 1])
    is_clear = middle > np.maximum(LEAST_CORRELATION, CLEAR / np.sqrt(np.maximum(counts[lags], 1)))
    is_seen = (counts[lags] > 0) & (counts[lags + 1] > 0)
    candidates = lags[is_peak & is_clear & is_seen]
    chosen: list[int] = []
    is_strong = correlation[candidates] > STRONG_SHARE * correlation[candidates].max(initial=0.0)
    left = candidates[is_strong]
    while len(left) and len(chosen) < N_SEASONS:
        near = left[left <= NEAR * left[0]]  # the shortest: its multiples are as strong
        chosen.append(int(near[np.argmax(correlation[near])]))
        left = left[[not _is_multiple(int(lag), chosen[-1]) for lag in left]]
    return tuple(sorted(chosen))


def _is_multiple(lag: int, other: int) -> bool:
    long, short = max(lag, other), min(lag, other)
    n_times = round(long / short)
    return abs(long - short * n_times) <= max(1, (NEAR - 1) * short)
