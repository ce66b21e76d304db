"""Limits of drift taken from the reference itself: how far chunks drawn from it lie from the rest.

Each resample draws as many rows as a look has, without replacement, and measures every column of
the chunk against the rows that are left. A column's distances are centred and scaled by their
median and mean absolute deviation over the resamples; the largest scaled distance of a resample is
what a look is judged by. Its quantile is the limit, so that the chance that a look at unchanged
data crosses it in any column is the nominal rate (a max-T resampling test; Westfall and Young,
1993). Rows are drawn at random: what recurs by the hour or the day within the reference is no part
of that chance.

Texts and vectors have tests that permute the rows themselves, and would take hours to resample:
their columns are judged by their own p values, at a share of the rate (Bonferroni). So are
categories of which no two are the same, such as identifiers: any two parts of them are as far
apart as can be, so that no resample says anything.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.choice import LEAST_P, Pair, choose_test, measure
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.records import Record

__all__ = ["Limits", "chunk_size", "excess", "limits_of"]

AUTO = "auto"
GRID = 1.25  # ratio of the chunk sizes that share limits
MOST_REFERENCE_ROWS = 5_000
LEAST_RESAMPLES, RESAMPLES_PER_RATE = 199, 4
FEW_RESAMPLES = 9  # that show whether a column's distances vary at all
LEAST_REFERENCE_ROWS = 20
FLAT = 1e-9  # deviation of the distances, as a share of their median, that is rounding alone
Table = Mapping[str, NDArray[Any]]


class Limits(Record):
    """What chunks of the reference show by chance.

    Attributes:
        tests: column to the name of its test.
        centre: column to the median of its distances; those judged by p values have none.
        scale: column to their mean absolute deviation.
        limit: of the largest scaled distance; above 0.
        n_rows: rows of a chunk.
        n_resamples: chunks drawn.
        rate: share of unchanged looks that are beyond in any column.
        own_rate: of it, the part of each column that is judged by its own p value.
    """

    tests: dict[str, str]
    centre: dict[str, float]
    scale: dict[str, float]
    limit: float
    n_rows: int
    n_resamples: int
    rate: float
    own_rate: float = 0.0


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
            categories and numbers of at most five values, and the tests of texts and of vectors.
        seed: of the draws.

    Raises:
        InvalidInputError: the reference has fewer than 20 rows, a column cannot be compared or
            not be calibrated by the test, or the rate is too low for so many texts or vectors.
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
    if test == AUTO:
        flat = _flat(kept, tests, n_rows, rng)
        tests |= {name: "text" for name in flat if tests[name] == "jensen_shannon"}
    own = [name for name in columns if tests[name] in LEAST_P]
    drawn = {name: tests[name] for name in columns if name not in own}
    part = rate / (len(own) + bool(drawn))
    if own:
        _check_reachable(tests, own, part)
    found = _resampled(kept, drawn, n_rows, part, rng) if drawn else _NOTHING_DRAWN
    return found.model_copy(
        update={"tests": tests, "n_rows": n_rows, "rate": rate, "own_rate": part if own else 0.0}
    )


def excess(reference: Columns, current: Columns, limits: Limits) -> dict[str, float]:
    """Return by column its scaled distance over the limit; above 1 it is beyond.

    Raises:
        InvalidInputError: a column has no value or is of another kind in one of the two.
    """
    found = {}
    for name, test in limits.tests.items():
        measured = measure(Pair.read(name, reference, current), test)
        if name in limits.centre:
            scaled = _scaled(measured.statistic, limits.centre[name], limits.scale[name])
            found[name] = scaled / limits.limit
        else:
            p_value = 1.0 if measured.p_value is None else measured.p_value
            found[name] = limits.own_rate / max(p_value, LEAST_P[test])
    return found


_NOTHING_DRAWN = Limits(tests={}, centre={}, scale={}, limit=1.0, n_rows=0, n_resamples=0, rate=0.0)


def _resampled(
    rows: Table, tests: Mapping[str, str], n_rows: int, rate: float, rng: np.random.Generator
) -> Limits:
    """Return the limits of the columns whose distances are calibrated."""
    n_resamples = max(LEAST_RESAMPLES, math.ceil(RESAMPLES_PER_RATE / rate) - 1)
    drawn = [_distances(rows, tests, n_rows, rng) for _ in range(n_resamples)]
    values = np.array(drawn)  # (n_resamples, n_columns)
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"Tests {', '.join(sorted(set(tests.values())))} give infinite distances between "
            "parts of the reference; choose another, such as auto."
        )
    centre = np.median(values, axis=0)
    scale = np.mean(np.abs(values - centre), axis=0)
    for name, is_flat in zip(tests, _are_flat(centre, scale), strict=True):
        if is_flat:
            raise InvalidInputError(
                f"Column {name!r} cannot be calibrated by {tests[name]}: all parts of the "
                "reference are equally far apart, as where no value comes twice. Leave it out of "
                "columns, or choose auto or limits: fixed."
            )
    largest = np.sort([_largest(row, centre, scale) for row in values])
    rank = min(math.ceil((n_resamples + 1) * (1 - rate)), n_resamples)
    return Limits(
        tests=dict(tests),
        centre=dict(zip(tests, centre.tolist(), strict=True)),
        scale=dict(zip(tests, scale.tolist(), strict=True)),
        limit=max(float(largest[rank - 1]), 1e-9),
        n_rows=n_rows,
        n_resamples=n_resamples,
        rate=rate,
    )


def _flat(
    rows: Table, tests: Mapping[str, str], n_rows: int, rng: np.random.Generator
) -> list[str]:
    """Return the columns of categories whose distances do not vary, by a few resamples."""
    asked = {name: test for name, test in tests.items() if test == "jensen_shannon"}
    if not asked:
        return []
    values = np.array([_distances(rows, asked, n_rows, rng) for _ in range(FEW_RESAMPLES)])
    centre = np.median(values, axis=0)
    are_flat = _are_flat(centre, np.mean(np.abs(values - centre), axis=0))
    return [name for name, is_flat in zip(asked, are_flat, strict=True) if is_flat]


def _are_flat(centre: NDArray[np.float64], scale: NDArray[np.float64]) -> list[bool]:
    """Return whether distances are alike but not zero; a constant column has zeros, and limits."""
    return list((centre > FLAT) & (scale <= FLAT * centre))


def _check_reachable(tests: Mapping[str, str], own: Sequence[str], part: float) -> None:
    short = [name for name in own if LEAST_P[tests[name]] > part]
    if short:
        raise InvalidInputError(
            f"Column {short[0]!r} has {part:.2g} of the false_alarm_rate, and its test "
            f"{tests[short[0]]!r} gives no p value below {LEAST_P[tests[short[0]]]:g}, so it could "
            "never be found. Raise the rate, or name fewer columns of texts, identifiers and "
            "vectors."
        )


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
    """Return the test for a column; of numbers and categories p values are not needed."""
    chosen = choose_test(pair)
    if chosen in LEAST_P:
        return chosen
    return "jensen_shannon" if pair.is_discrete else "wasserstein"


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
