"""Chunks drawn from a reference, at random or as stretches of time, and how far they lie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.drift.choice import Pair, measure
from ml_orchestrator.health.monitors.stretches import Stretches

__all__ = ["Table", "at_random", "in_stretches", "most_rows", "part_of"]

MOST_REFERENCE_ROWS = 5_000
Table = Mapping[str, NDArray[Any]]
Tests = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Chunk:
    rows: NDArray[np.intp]
    rest: NDArray[np.intp]


def most_rows(n_rows: int) -> int:
    """Return how many rows of a reference chunks of ``n_rows`` rows are compared with, at most."""
    return max(MOST_REFERENCE_ROWS, 10 * n_rows)


def part_of(
    rows: Table, columns: Sequence[str], n_rows: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Return these columns of a reference, of a large one a part of its rows."""
    kept = {name: rows[name] for name in columns}
    n_reference = len(next(iter(kept.values()))) if kept else 0
    most = most_rows(n_rows)
    if n_reference > most:
        chosen = np.sort(rng.choice(n_reference, most, replace=False))
        kept = {name: column[chosen] for name, column in kept.items()}
    return kept


def at_random(
    rows: Table, tests: Tests, n_rows: int, *, n: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the distances of ``n`` chunks of rows drawn at random, shape ``(n, n_columns)``.

    Raises:
        InvalidInputError: a test does not take its column.
        NotFoundError: there is no such test.
    """
    n_reference = len(next(iter(rows.values())))
    size = min(n_rows, n_reference // 2)
    found = []
    for _ in range(n):
        chosen = rng.choice(n_reference, size, replace=False)
        found.append(_distances(rows, tests, _chunk(chosen, n_reference)))
    return np.array(found)


def in_stretches(
    rows: Table,
    tests: Tests,
    stretches: Stretches,
    n_rows: int,
    *,
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the distances of stretches from the other rows, shape ``(n_chunks, n_columns)``.

    Of a stretch of more than ``n_rows`` rows so many are drawn, as often as makes ``n`` chunks in
    all; of more than ``n`` stretches that many. Stretches in which a column has no value are left
    out.

    Raises: as for `at_random`.
    """
    parts = list(stretches.rows)
    if len(parts) > n:
        parts = [parts[i] for i in np.sort(rng.choice(len(parts), n, replace=False))]
    n_reference = len(next(iter(rows.values())))
    found = []
    for part in parts:
        n_draws = math.ceil(n / len(parts)) if part.size > n_rows else 1
        for _ in range(n_draws):
            chosen = rng.choice(part, n_rows, replace=False) if part.size > n_rows else part
            chunk = _chunk(chosen, n_reference, out=part)
            if chunk.rest.size > most_rows(n_rows):
                rest = rng.choice(chunk.rest, most_rows(n_rows), replace=False)
                chunk = _Chunk(chunk.rows, rest)
            if all(_has_value(rows[name][chunk.rows]) for name in tests):
                found.append(_distances(rows, tests, chunk))
    return np.array(found).reshape(-1, len(tests))


def _chunk(
    chosen: NDArray[np.intp], n_reference: int, *, out: NDArray[np.intp] | None = None
) -> _Chunk:
    """Return rows, and all others; those ``out`` are none of either."""
    is_left = np.ones(n_reference, dtype=bool)
    is_left[chosen if out is None else out] = False
    return _Chunk(chosen, np.flatnonzero(is_left))


def _has_value(values: NDArray[Any]) -> bool:
    if values.dtype == object:
        return any(value is not None for value in values.tolist())
    return bool(np.isfinite(values).any())


def _distances(rows: Table, tests: Tests, chunk: _Chunk) -> list[float]:
    found = []
    for name, test in tests.items():
        before, after = {name: rows[name][chunk.rest]}, {name: rows[name][chunk.rows]}
        found.append(measure(Pair.read(name, before, after), test).statistic)
    return found
