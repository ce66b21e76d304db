"""Limits of drift taken from the reference itself: how far chunks drawn from it lie from the rest.

Each resample draws as many rows as a look has, without replacement, and measures every column of
the chunk against the rows that are left. A column's distances are centred and scaled by their
median and mean absolute deviation over the resamples; the largest scaled distance of a resample is
what a look is judged by. Its quantile is the limit, so that the chance that a look at unchanged
data crosses it in any column is the nominal rate (a max-T resampling test; Westfall and Young,
1993).

Where it is known when the rows were, chunks are whole stretches of the reference too, as long as
the look and of the same time of day, so that what recurs by the hour, the day or the week is part
of that chance. The limit is the larger of the two quantiles. Without times, or with too few
stretches, rows are drawn at random only, and cycles are no part of it.

Texts and vectors have tests that permute the rows themselves, and would take hours to resample:
their columns are judged by their own p values, at a share of the rate (Bonferroni). So are
categories of which no two are the same, such as identifiers: any two parts of them are as far
apart as can be, so that no resample says anything.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError, OrchestratorError
from ml_orchestrator.health.drift.choice import LEAST_P, Pair, choose_test, measure
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.health.monitors.resampling import Table, at_random, in_stretches, part_of
from ml_orchestrator.health.monitors.stretches import (
    GRID,
    LEAST_STRETCHES,
    Stretch,
    Stretches,
    stretches_of,
)
from ml_orchestrator.records import Record

__all__ = ["AUTO", "Excess", "Limits", "When", "chunk_size", "excess", "limit_faults", "limits_of"]

AUTO = "auto"
LEAST_RESAMPLES, RESAMPLES_PER_RATE = 199, 4
FEW_RESAMPLES = 9  # that show whether a column's distances vary at all
LEAST_REFERENCE_ROWS = 20
FLAT = 1e-9  # deviation of the distances, as a share of their median, that is rounding alone
_NO_STRETCHES = Stretches((), 0)


@dataclass(frozen=True, slots=True)
class When:
    """When the rows of a reference were, shape ``(n_reference,)``, and when those of a look."""

    times: NDArray[np.float64]
    look: Stretch


class Limits(Record):
    """What chunks of the reference show by chance.

    Attributes:
        tests: column to the name of its test.
        centre: column to the median of its distances; those judged by p values have none.
        scale: column to their mean absolute deviation.
        limit: of the largest scaled distance; above 0.
        n_rows: rows of a chunk.
        n_resamples: chunks drawn.
        n_stretches: stretches of the reference side by side among them; 0 if cycles are not known.
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
    n_stretches: int = 0


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
    when: When | None = None,
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
        when: makes stretches of time chunks too, if there are 8 side by side at least.
        seed: of the draws.

    Raises:
        InvalidInputError: the reference has fewer than 20 rows, a column cannot be compared or
            not be calibrated by the test, or the rate is too low for so many texts or vectors.
    """
    rng = np.random.default_rng(seed)
    kept = part_of(rows, columns, n_rows, rng)
    _check_enough(kept)
    tests = _tests(kept, columns, test)
    if test == AUTO:
        flat = _flat(kept, tests, n_rows, rng)
        tests |= {name: "text" for name in flat if tests[name] == "jensen_shannon"}
    own = [name for name in columns if tests[name] in LEAST_P]
    drawn = {name: tests[name] for name in columns if name not in own}
    part = rate / (len(own) + bool(drawn))
    if own:
        _check_reachable(tests, own, part)
    found = _NOTHING_DRAWN
    if drawn:
        stretches = _stretches(when, n_rows)
        n = _n_resamples(part)
        values = at_random(kept, drawn, n_rows, n=n, rng=rng)
        beside = in_stretches(rows, drawn, stretches, n_rows, n=n, rng=rng)
        found = _limits(drawn, values, beside, part)
        found = found.model_copy(update={"n_stretches": stretches.n_apart})
    return found.model_copy(
        update={"tests": tests, "n_rows": n_rows, "rate": rate, "own_rate": part if own else 0.0}
    )


def limit_faults(
    rows: Table,
    columns: Sequence[str],
    *,
    n_rows: int,
    rate: float,
    test: str = AUTO,
    seed: int = 0,
) -> list[OrchestratorError]:
    """Return why `limits_of` would refuse, by a few chunks instead of hundreds.

    The arguments are those of `limits_of`.
    """
    rng = np.random.default_rng(seed)
    kept = part_of(rows, columns, n_rows, rng)
    faults: list[OrchestratorError] = []
    own: list[str] = []
    try:
        _check_enough(kept)
        tests = _tests(kept, columns, test)
    except OrchestratorError as error:
        return [error]
    for name in columns:
        is_own = tests[name] in LEAST_P
        own += [name] if is_own else []
        try:
            if not (is_own and test == AUTO):
                n = 1 if is_own else FEW_RESAMPLES
                values = at_random(kept, {name: tests[name]}, n_rows, n=n, rng=rng)
                if not is_own and _is_text_after_all(values, tests[name], test):
                    own.append(name)
                elif not is_own:
                    _check_values([name], tests, values)
        except OrchestratorError as error:
            faults.append(error)
    if own:
        named = {name: "text" if tests[name] not in LEAST_P else tests[name] for name in own}
        try:
            _check_reachable(named, own, rate / (len(own) + (len(own) < len(columns))))
        except OrchestratorError as error:
            faults.append(error)
    return faults


@dataclass(frozen=True, slots=True)
class Excess:
    """What a column's test gave, and its scaled distance over the limit; above 1 it is beyond."""

    test: str
    statistic: float
    share: float

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is crossed."""
        return self.share > 1


def excess(reference: Columns, current: Columns, limits: Limits) -> dict[str, Excess]:
    """Return by column how far it is, measured by the limits.

    Raises:
        InvalidInputError: a column has no value or is of another kind in one of the two.
    """
    found = {}
    for name, test in limits.tests.items():
        measured = measure(Pair.read(name, reference, current), test)
        if name in limits.centre:
            scaled = _scaled(measured.statistic, limits.centre[name], limits.scale[name])
            share = scaled / limits.limit
        else:
            p_value = 1.0 if measured.p_value is None else measured.p_value
            share = limits.own_rate / max(p_value, LEAST_P[test])
        found[name] = Excess(test, measured.statistic, share)
    return found


_NOTHING_DRAWN = Limits(tests={}, centre={}, scale={}, limit=1.0, n_rows=0, n_resamples=0, rate=0.0)


def _limits(
    tests: Mapping[str, str],
    drawn: NDArray[np.float64],
    stretches: NDArray[np.float64],
    rate: float,
) -> Limits:
    """Return the limits of the columns whose distances are calibrated.

    Args:
        tests: their tests, in the order of the distances.
        drawn: of chunks drawn at random, shape ``(n_chunks, n_columns)``.
        stretches: likewise of stretches; none where cycles are not known.
        rate: chance that unchanged data cross the limit.
    """
    names = list(tests)
    values = np.vstack([drawn, stretches])
    _check_values(names, tests, values)
    centre, scale = _centred(values)
    limits = [_quantile(part, centre, scale, rate) for part in (drawn, stretches) if len(part)]
    return Limits(
        tests=dict(tests),
        centre=dict(zip(names, centre.tolist(), strict=True)),
        scale=dict(zip(names, scale.tolist(), strict=True)),
        limit=max(*limits, 1e-9),
        n_rows=0,
        n_resamples=len(values),
        rate=rate,
    )


def _quantile(
    values: NDArray[np.float64],
    centre: NDArray[np.float64],
    scale: NDArray[np.float64],
    rate: float,
) -> float:
    largest = np.sort([_largest(row, centre, scale) for row in values])
    rank = min(math.ceil((len(values) + 1) * (1 - rate)), len(values))
    return float(largest[rank - 1])


def _stretches(when: When | None, n_rows: int) -> Stretches:
    """Return the stretches to calibrate on; none where there are too few side by side."""
    if when is None:
        return _NO_STRETCHES
    found = stretches_of(when.times, when.look, least_rows=n_rows // 2)
    return found if found.n_apart >= LEAST_STRETCHES else _NO_STRETCHES


def _n_resamples(rate: float) -> int:
    return max(LEAST_RESAMPLES, math.ceil(RESAMPLES_PER_RATE / rate) - 1)


def _flat(
    rows: Table, tests: Mapping[str, str], n_rows: int, rng: np.random.Generator
) -> list[str]:
    """Return the columns of categories whose distances do not vary, by a few resamples."""
    asked = {name: test for name, test in tests.items() if test == "jensen_shannon"}
    if not asked:
        return []
    values = at_random(rows, asked, n_rows, n=FEW_RESAMPLES, rng=rng)
    are_flat = _are_flat(*_centred(values))
    return [name for name, is_flat in zip(asked, are_flat, strict=True) if is_flat]


def _is_text_after_all(values: NDArray[np.float64], chosen: str, test: str) -> bool:
    """Whether `limits_of` judges a column as identifiers, though it holds categories."""
    return test == AUTO and chosen == "jensen_shannon" and _are_flat(*_centred(values))[0]


def _centred(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centre: NDArray[np.float64] = np.median(values, axis=0)
    scale: NDArray[np.float64] = np.mean(np.abs(values - centre), axis=0)
    return centre, scale


def _are_flat(centre: NDArray[np.float64], scale: NDArray[np.float64]) -> list[bool]:
    """Return whether distances are alike but not zero; a constant column has zeros, and limits."""
    return [bool(flat) for flat in (centre > FLAT) & (scale <= FLAT * centre)]


def _check_enough(rows: Table) -> None:
    n_reference = len(next(iter(rows.values()))) if rows else 0
    if n_reference < LEAST_REFERENCE_ROWS:
        raise InvalidInputError(
            f"The reference has {n_reference} rows to draw chunks from; at least "
            f"{LEAST_REFERENCE_ROWS} are needed. Give more, or limits: fixed."
        )


def _check_values(
    names: Sequence[str], tests: Mapping[str, str], values: NDArray[np.float64]
) -> None:
    """Refuse distances that are infinite, or do not vary."""
    if not np.isfinite(values).all():
        used = sorted({tests[name] for name in names})
        raise InvalidInputError(
            f"Tests {', '.join(used)} give infinite distances between parts of the reference; "
            "choose another, such as auto."
        )
    for name, is_flat in zip(names, _are_flat(*_centred(values)), strict=True):
        if is_flat:
            raise InvalidInputError(
                f"Column {name!r} cannot be calibrated by {tests[name]}: all parts of the "
                "reference are equally far apart, as where no value comes twice. Leave it out of "
                "columns, or choose auto or limits: fixed."
            )


def _check_reachable(tests: Mapping[str, str], own: Sequence[str], part: float) -> None:
    short = [name for name in own if LEAST_P[tests[name]] > part]
    if short:
        raise InvalidInputError(
            f"Column {short[0]!r} has {part:.2g} of the false_alarm_rate, and its test "
            f"{tests[short[0]]!r} gives no p value below {LEAST_P[tests[short[0]]]:g}, so it could "
            "never be found. Raise the rate, or name fewer columns of texts, identifiers and "
            "vectors."
        )


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


def _largest(row: NDArray[np.float64], centre: Any, scale: Any) -> float:
    return max(map(_scaled, row.tolist(), centre.tolist(), scale.tolist()))


def _scaled(value: float, centre: float, scale: float) -> float:
    if scale > 0:
        return (value - centre) / scale
    return 0.0 if value <= centre else math.inf
