"""Events that follow each other in many sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["Subsequence", "frequent_subsequences", "holds_subsequence"]

MAX_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Subsequence:
    """Events in order, others may stand between them, and how many sequences hold them so."""

    events: tuple[int, ...]
    count: int


def frequent_subsequences(
    events: NDArray[np.int64],
    *,
    n_kinds: int,
    min_count: int,
    max_length: int = MAX_LENGTH,
    max_found: int = 20_000,
) -> list[Subsequence]:
    """Return every subsequence of up to three events that ``min_count`` sequences hold.

    Grows prefixes as PrefixSpan does; what is left of each sequence behind a prefix is its first
    place behind the prefix's earliest end, for all sequences at once.

    Args:
        events: shape ``(n_sequences, longest)``; kinds of event from 0, in order; -1 where a
            sequence has ended or an event is not looked at.
        n_kinds: kinds of event.
        min_count: from 1.
        max_length: 1, 2 or 3.
        max_found: more than so many are refused.

    Raises:
        InvalidInputError: a limit is out of range, or more are found than allowed.

    References:
        J. Pei et al., "Mining sequential patterns by pattern-growth: the PrefixSpan approach",
        IEEE Transactions on Knowledge and Data Engineering 16 (2004).

    >>> events = np.array([[0, 1, 0], [0, 1, -1], [1, 0, -1]])
    >>> found = frequent_subsequences(events, n_kinds=2, min_count=2)
    >>> [(one.events, one.count) for one in found]
    [((0,), 3), ((1,), 3), ((0, 1), 2), ((1, 0), 2)]
    """
    if min_count < 1 or not 1 <= max_length <= MAX_LENGTH:
        raise InvalidInputError(
            f"min_count must be at least 1 and max_length 1 to {MAX_LENGTH}; found {min_count} "
            f"and {max_length}."
        )
    last = _last_places(events, n_kinds)
    start = np.full(len(events), -1)
    found: list[Subsequence] = []
    prefixes: list[tuple[int, ...]] = [()]
    for length in range(1, max_length + 1):
        grown: list[tuple[int, ...]] = []
        for prefix in prefixes:
            counts = (last > _end(events, prefix, start)[:, None]).sum(axis=0)
            for kind in np.flatnonzero(counts >= min_count):
                grown.append((*prefix, int(kind)))
                found.append(Subsequence(grown[-1], int(counts[kind])))
        if len(found) > max_found:
            raise InvalidInputError(
                f"More than {max_found:,} orders of up to {length} events are held by "
                f"{min_count:,} sequences or more. Raise the support, or give fewer kinds of event."
            )
        prefixes = grown
    return found


def holds_subsequence(events: NDArray[np.int64], wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Return which sequences hold the wanted events in this order, shape ``(n_sequences,)``.

    ``events`` is as in `frequent_subsequences`.
    """
    end = _end(events, wanted, np.full(len(events), -1))
    return np.asarray(end < events.shape[1])


def _last_places(events: NDArray[np.int64], n_kinds: int) -> NDArray[np.int64]:
    """Return the last place of each kind; -1 without. ``(n_sequences, n_kinds)``."""
    last = np.full((len(events), n_kinds), -1, dtype=np.int64)
    for place in range(events.shape[1]):
        rows = np.flatnonzero(events[:, place] >= 0)
        last[rows, events[rows, place]] = place
    return last


def _end(
    events: NDArray[np.int64], prefix: Sequence[int], start: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the earliest place where each has held the prefix; the width without."""
    longest = events.shape[1]
    places = np.arange(longest)
    end = start
    for kind in prefix:
        is_next = (events == kind) & (places > end[:, None])
        end = np.where(is_next.any(axis=1), is_next.argmax(axis=1), longest)
    return end
