"""Limits of drift taken from the reference itself: how far chunks drawn from it lie from the rest.

Each resample draws as many rows as a look has, without replacement, and measures every column of
the chunk against the rows that are left. A column's distances are centred and scaled by their
median and mean absolute deviation over the resamples; the largest scaled distance of a resample is
what a look is judged by. Its quantile is the limit, so that the chance that a look at unchanged
data crosses it in any column is the nominal rate (a max-T resampling test; Westfall and Young,
1993). Rows are drawn at random: what recurs by the hour or the day within the reference is no part
of that chance.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.choice import MOST_DISCRETE_VALUES, Pair, measure
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.records import Record

__all__ = ["Limits", "chunk_size", "excess", "limits_of"]

AUTO = "auto"
GRID = 1.25  # ratio of the chunk sizes that share limits
MOST_REFERENCE_ROWS = 5_000
LEAST_RESAMPLES, RESAMPLES_PER_RATE = 199, 4
LEAST_REFERENCE_ROWS = 20
Table = Mapping[str, NDArray[Any]]


class Limits(Record):
    """What chunks of the reference show by chance.

    Attributes:
        tests: column to the name of its test.
        centre: column to the median of its distances.
        scale: column to their mean absolute deviation.
        limit: of the largest scaled distance; above 0.
        n_rows: rows of a chunk.
        n_resamples: chunks drawn.
        rate: share of unchanged looks beyond the limit.
    """

    tests: dict[str, str]
    centre: dict[str, float]
    scale: dict[str, float]
    limit: float
    n_rows: int
    n_resamples: int
    rate: float


def chunk_size(n_rows: int, n_reference: int) -> int:
    """Return the size of chunks whose limits hold for a look of ``n_rows`` rows.

    It is not larger, and smaller chunks vary more, so that the rate is kept; sizes a quarter apart
    share their limits. At most half of the reference is drawn.

    >>> chunk_size(1_000, 20_000), chunk_size(900, 20_000), chunk_size(1_000, 300)
    (807, 807, 150)
    """
    steps = math.floor(math.log(max(n_rows, 1)) / math.log(GRID))
    return max(1, min(int(GRID**steps), n_reference // 2))


def limits_of(
    rows: Table,
    n_rows: int,
    *,
    columns: Sequence[str],
    rate: float,
    test: str = AUTO,
    seed: int = 0,
) -> Limits:
    """Return the limits for looks of at least ``n_rows`` rows.

    Args:
        rows: the reference, column name to array of shape ``(n_reference,)``; of more than 5,000
            rows, and ten times ``n_rows``, a part is used, which is on the safe side.
        n_rows: as `chunk_size` returned.
        columns: which are compared.
        rate: chance that unchanged data cross the limit; 0.001 to 0.2.
        test: the name of a drift test, or ``"auto"``: Wasserstein for numbers, Jensen-Shannon for
            categories and numbers of at most five values.
        seed: of the draws.

    Raises:
        InvalidInputError: the reference has fewer than 20 rows, or a column cannot be compared.
    """
    rng = np.random.default_rng(seed)
    kept = _part(rows, columns, n_rows, rng)
    n_reference = len(next(iter(kept.values()))) if kept else 0
    if n_reference < LEAST_REFERENCE_ROWS:
        raise InvalidInputError(
            f"The reference has {n_reference} rows to draw chunks from; at least "
            f"{LEAST_REFERENCE_ROWS} are needed. Give more, or limits: fixed."
        )
    tests = _tests(kept, columns, test)
    n_resamples = max(LEAST_RESAMPLES, math.ceil(RESAMPLES_PER_RATE / rate) - 1)
    drawn = [_distances(kept, tests, n_rows, rng) for _ in range(n_resamples)]
    values = np.array(drawn)  # (n_resamples, n_columns)
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"Test {test!r} gives infinite distances between parts of the reference; choose "
            "another, such as auto."
        )
    centre = np.median(values, axis=0)
    scale = np.mean(np.abs(values - centre), axis=0)
    largest = np.sort([_largest(row, centre, scale) for row in values])
    rank = min(math.ceil((n_resamples + 1) * (1 - rate)), n_resamples)
    finite = max(float(largest[rank - 1]), 1e-9)
    return Limits(
        tests=tests,
        centre=dict(zip(columns, centre.tolist(), strict=True)),
        scale=dict(zip(columns, scale.tolist(), strict=True)),
        limit=finite,
        n_rows=n_rows,
        n_resamples=n_resamples,
        rate=rate,
    )


def excess(reference: Columns, current: Columns, limits: Limits) -> dict[str, float]:
    """Return by column its scaled distance over the limit; above 1 it is beyond.

    Raises:
        InvalidInputError: a column has no value or is of another kind in one of the two.
    """
    found = {}
    for name, test in limits.tests.items():
        value = measure(Pair.read(name, reference, current), test).statistic
        found[name] = _scaled(value, limits.centre[name], limits.scale[name]) / limits.limit
    return found


def _part(
    rows: Table, columns: Sequence[str], n_rows: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    kept = {name: rows[name] for name in columns}
    n_reference = len(next(iter(kept.values()))) if kept else 0
    most = max(MOST_REFERENCE_ROWS, 10 * n_rows)
    if n_reference > most:
        chosen = np.sort(rng.choice(n_reference, most, replace=False))
        kept = {name: column[chosen] for name, column in kept.items()}
    return kept


def _tests(rows: Table, columns: Sequence[str], test: str) -> dict[str, str]:
    if test != AUTO:
        return dict.fromkeys(columns, test)
    return {name: _distance_for(Pair.read(name, rows, rows)) for name in columns}


def _distance_for(pair: Pair) -> str:
    """Return the distance for a column; p values are not needed, and cost time."""
    is_discrete = pair.reference.kind == "categorical" or pair.n_distinct <= MOST_DISCRETE_VALUES
    return "jensen_shannon" if is_discrete else "wasserstein"


def _distances(
    rows: Table, tests: Mapping[str, str], n_rows: int, rng: np.random.Generator
) -> list[float]:
    n_reference = len(next(iter(rows.values())))
    is_drawn = np.zeros(n_reference, dtype=bool)
    is_drawn[rng.choice(n_reference, min(n_rows, n_reference // 2), replace=False)] = True
    return list(_measured(rows, tests, is_drawn))


def _measured(
    rows: Table, tests: Mapping[str, str], is_drawn: NDArray[np.bool_]
) -> Iterator[float]:
    for name, test in tests.items():
        rest, chunk = {name: rows[name][~is_drawn]}, {name: rows[name][is_drawn]}
        yield measure(Pair.read(name, rest, chunk), test).statistic


def _largest(row: NDArray[np.float64], centre: Any, scale: Any) -> float:
    return max(map(_scaled, row.tolist(), centre.tolist(), scale.tolist()))


def _scaled(value: float, centre: float, scale: float) -> float:
    if scale > 0:
        return (value - centre) / scale
    return 0.0 if value <= centre else math.inf
