"""Orders of events as candidates: which events follow each other in a case."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.subsequences import frequent_subsequences, holds_subsequence

__all__ = ["SequencePattern", "sequence_patterns"]

SEPARATOR = ">"
MOST_KINDS = 40
LONGEST = 100
MOST_PATTERNS = 2_000
LONGEST_EVENT = 60


@dataclass(frozen=True, slots=True)
class SequencePattern:
    """Events in order, and which of all cases hold them so, shape ``(n_cases,)``."""

    events: tuple[str, ...]
    holds: NDArray[np.bool_]


def sequence_patterns(
    column: str,
    values: NDArray[Any],
    *,
    learn_on: NDArray[np.int64],
    least: int,
) -> tuple[list[SequencePattern], list[str]]:
    """Return frequent orders of up to three events, and notices.

    Which events and orders are frequent is learnt on ``learn_on`` alone. An order that exactly
    the cases of a shorter one hold is left out. A missing value is a case without events.

    Args:
        column: name of the column.
        values: texts such as ``plan > code > test``; None or NaN is missing.
        learn_on: rows of the first part.
        least: cases of the first part that must hold an order, and as many must not.

    Raises:
        InvalidInputError: it holds numbers, or more orders are frequent than can be handled.
    """
    if values.dtype != object:
        raise InvalidInputError(
            f"Column {column!r} holds numbers; a sequence is text with its events in order, such "
            "as 'plan > code > test'."
        )
    split = [_events(value) for value in values]
    kinds, notices = _kinds(column, split, learn_on, least)
    numbers = _numbered(split, kinds)
    found = frequent_subsequences(
        numbers[learn_on],
        n_kinds=len(kinds),
        min_count=least,
        max_found=MOST_PATTERNS,
    ) if kinds else []  # fmt: skip
    counts: dict[tuple[int, ...], int] = {}
    patterns = []
    for one in found:
        counts[one.events] = one.count
        shorter = [one.events[:i] + one.events[i + 1 :] for i in range(len(one.events))]
        if one.count > len(learn_on) - least or one.count in [counts.get(s) for s in shorter]:
            continue
        names = tuple(kinds[event] for event in one.events)
        patterns.append(SequencePattern(names, holds_subsequence(numbers, one.events)))
    if not patterns:
        notices.append(
            f"{column}: no order of events is held by {least:,} cases of the first part."
        )
    return patterns, notices


def _events(value: Any) -> list[str]:
    if not isinstance(value, str):
        return []
    return [event.strip()[:LONGEST_EVENT] for event in value.split(SEPARATOR) if event.strip()]


def _kinds(
    column: str, split: Sequence[Sequence[str]], rows: NDArray[np.int64], least: int
) -> tuple[list[str], list[str]]:
    """Return the events that enough cases of the first part hold, the most common 40."""
    seen: dict[str, int] = {}
    for row in rows:
        for event in set(split[row]):
            seen[event] = seen.get(event, 0) + 1
    common = sorted((e for e, n in seen.items() if n >= least), key=lambda e: (-seen[e], e))
    notices = []
    if len(common) > MOST_KINDS:
        notices.append(f"{column}: the {MOST_KINDS} most common of {len(common)} events are used.")
    n_long = sum(len(events) > LONGEST for events in split)
    if n_long:
        notices.append(f"{column}: {n_long:,} cases have more than {LONGEST} events; cut there.")
    return common[:MOST_KINDS], notices


def _numbered(split: Sequence[Sequence[str]], kinds: Sequence[str]) -> NDArray[np.int64]:
    number = {kind: i for i, kind in enumerate(kinds)}
    longest = max(1, min(LONGEST, max(len(events) for events in split)))
    table = np.full((len(split), longest), -1, dtype=np.int64)
    for row, events in enumerate(split):
        for place, event in enumerate(events[:longest]):
            table[row, place] = number.get(event, -1)
    return table
