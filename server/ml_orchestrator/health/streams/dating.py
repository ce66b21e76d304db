"""The row from which a column changed, by a detector that reads it row by row."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.health.streams.contract import Change, StreamDetector
from ml_orchestrator.health.streams.opening import open_detector

__all__ = ["MOST_ROWS", "change_of", "detectors_are_there"]

MOST_ROWS = 100_000  # of a stream; of a longer one every second, third … row is read
N_WARMING = 1_000  # reference values that a detector reads first
Values = NDArray[np.float64]


def detectors_are_there() -> bool:
    """Whether the extra ``streams`` is installed."""
    try:
        open_detector("adwin")
    except UnavailableError:
        return False
    return True


def change_of(reference: Values, current: Values, *, seed: int = 0) -> Change | None:
    """Return the first change of a stream against its reference, in rows of the stream.

    Two ADWIN detectors read where each value lies among those of the reference (its share of
    smaller ones, 0 to 1, which has mean 1/2 without a change whatever the distribution) and how
    far from the middle that is; so a shift and a change of spread are seen. Both first read
    1,000 values of the reference, in random order. When one notices a change, the row from which
    it holds is the cut of all that it has read before and after which the means differ most, for
    the lengths of both sides (CUSUM). A change that begins in the reference begins in row 0.

    Args:
        reference: shape ``(n_reference,)``; finite, in any order.
        current: shape ``(n_rows,)``, earliest first; rows that are not finite are passed over.
        seed: of the order of the reference.

    Raises:
        UnavailableError: the extra ``streams`` is not installed.
    """
    before = np.sort(reference)
    rows = np.flatnonzero(np.isfinite(current))
    rows = rows[:: max(1, -(-rows.size // MOST_ROWS))]
    known = np.random.default_rng(seed).permutation(before)[:N_WARMING]
    stream = _places(before, np.concatenate([known, current[rows]]))
    found = [_first(stream, known.size), _first(np.abs(2 * stream - 1), known.size)]
    seen = [change for change in found if change is not None]
    if not seen:
        return None
    first = min(seen, key=lambda change: change.seen)
    return Change(seen=int(rows[first.seen]), since=int(rows[first.since]))


def _places(before: Values, values: Values) -> Values:
    """Return the share of reference values below each value, ties counted half."""
    below = np.searchsorted(before, values, "left") + np.searchsorted(before, values, "right")
    places: Values = below / (2 * before.size)
    return places


def _first(stream: Values, n_known: int) -> Change | None:
    detector: StreamDetector = open_detector("adwin")
    for value in stream.tolist():
        change = detector.update(value)
        if change is not None and change.seen >= n_known:
            since = _clearest_cut(stream[: change.seen + 1])
            return Change(change.seen - n_known, max(0, since - n_known))
    return None


def _clearest_cut(values: Values) -> int:
    """Return the first value after the cut between the most different means."""
    n = values.size
    cuts = np.arange(1, n)
    gaps = np.abs(np.cumsum(values)[:-1] - cuts * values.mean())
    return int(cuts[np.argmax(gaps / np.sqrt(cuts * (n - cuts)))])
