"""Drift of a whole table: one test per column, correction, and a decision."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.health.asked import (
    AUTO,
    MOST_TOLD,
    check_options,
    checked_columns,
    listed,
    wanted_tests,
)
from ml_orchestrator.health.chance import chance_of
from ml_orchestrator.health.drift import DRIFT_TESTS, Measurement
from ml_orchestrator.health.drift.choice import Pair, choose_test, measure
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.health.drift.description import (
    Change,
    Sides,
    category_changes,
    describe,
    numeric_change,
)
from ml_orchestrator.health.drift.texts import Embed, compare_texts
from ml_orchestrator.health.models import (
    ColumnDrift,
    Correction,
    DriftReport,
    NumericChange,
    SchemaChange,
)
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg, holm

__all__ = ["AUTO", "adjust", "check_drift"]

LARGE = 200_000  # values from which threads pay
T = TypeVar("T")
K = TypeVar("K")

_CORRECTIONS: dict[Correction, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "benjamini_hochberg": benjamini_hochberg,
    "holm": holm,
    "none": lambda p_values: np.asarray(p_values, dtype=np.float64),
}


def check_drift(
    reference: Columns,
    current: Columns,
    *,
    tests: Mapping[str, str] | str = AUTO,
    alpha: float = 0.05,
    correction: Correction = "benjamini_hochberg",
    share_threshold: float = 0.5,
    columns: Sequence[str] | None = None,
    schema_changes: Sequence[SchemaChange] = (),
    embed: Embed | None = None,
) -> DriftReport:
    """Compare two tables column by column and decide whether the data drifted.

    Each column gets one test. P values are adjusted together for the number of columns; a column
    drifts when its adjusted p value is at most ``alpha``. One that is measured by a distance has
    to be as far as the test's own threshold, too, and its p value says how often chance alone
    goes so far (see `chance_of`); nearer ones count as 1. The table drifts when the share of
    drifted columns reaches ``share_threshold``.

    Args:
        reference: column name to array of shape ``(n_reference,)``. Integers and floats are
            numeric (NaN and infinities are missing), everything else is categorical (None and
            NaN are missing); numbers of shape ``(n_reference, n_dimensions)`` are vectors. Missing
            values are left out and their share is reported. The samples of a `Baseline` may stand
            here too.
        current: the same columns, shape ``(n_current,)``. Further ones are listed as unchecked.
        tests: ``"auto"``, the name of one test for all columns, or test names by column; columns
            left out of the mapping are chosen for as by ``"auto"`` (see `choose_test`).
        alpha: limit of adjusted p values, between 0 and 1.
        correction: how p values are adjusted.
        share_threshold: above 0, at most 1.
        columns: what to compare; all columns of the reference when None.
        schema_changes: what became of further columns, as `split_by_schema` returns them; each
            counts as drifted.
        embed: texts to vectors, shape ``(n_texts, n_dimensions)``; columns of text are then
            compared by meaning too.

    Raises:
        InvalidInputError: an option is out of range, a column is absent, unknown, differs in
            kind or has no value, or a test does not take its column.
        NotFoundError: a test has an unknown name.
    """
    check_options(alpha, correction, share_threshold)
    names = checked_columns(reference, current, columns, schema_changes)
    wanted = wanted_tests(names, tests)
    side_by_side = _in_threads if _is_large(reference, current, names) else map
    needed = alpha / len(names)
    compared = side_by_side(
        lambda name: _compared(Pair.read(name, reference, current), wanted[name], needed, embed),
        names,
    )
    found = dict(zip(names, compared, strict=True))
    p_values = {n: c.result.p_value for n, c in found.items()}
    adjusted = adjust({n: 1.0 if p is None else p for n, p in p_values.items()}, correction)
    drifts = [_column_drift(found[name], adjusted[name], alpha) for name in names]
    given = dict.fromkeys([*reference, *current])
    dealt_with = {*found, *(change.column for change in schema_changes)}
    return _report(
        sorted(drifts, key=_clearest_first),
        alpha=alpha,
        correction=correction,
        share_threshold=share_threshold,
        changes=tuple(schema_changes),
        unchecked=tuple(name for name in given if name not in dealt_with),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """What one column's test and description say; the column itself is not kept."""

    sides: Sides
    test: str
    result: Measurement
    change: Change


def _compared(pair: Pair, wanted: str, needed: float, embed: Embed | None) -> _Compared:
    test = choose_test(pair) if wanted == AUTO else wanted
    if test == "text" and embed is not None and pair.reference.kind == "categorical":
        result = compare_texts(pair.reference, pair.current, embed=embed)
    else:
        result = measure(pair, test)
    if result.p_value is None and result.statistic >= DRIFT_TESTS[test].threshold:
        result = replace(result, p_value=chance_of(pair, test, needed=needed))
    sides = Sides.of(pair)
    if result.text is not None:
        return _Compared(replace(sides, kind="text"), test, result, result.text)
    if sides.kind == "numeric":
        return _Compared(sides, test, result, numeric_change(pair))
    changes = category_changes(pair) if sides.kind == "categorical" else ()
    return _Compared(sides, test, result, changes)


def _is_large(reference: Columns, current: Columns, names: Sequence[str]) -> bool:
    return sum(reference[name].size + current[name].size for name in names) >= LARGE


def _in_threads(work: Callable[[str], T], names: Sequence[str]) -> Iterator[T]:
    """Map in parallel: counting and sorting, which take the time, leave the interpreter free."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, names)


def adjust(p_values: Mapping[K, float], correction: Correction) -> dict[K, float]:
    """Return p values adjusted for how many there are, by the same keys."""
    adjusted = _CORRECTIONS[correction](list(p_values.values()))
    return dict(zip(p_values, adjusted.tolist(), strict=True))


def _column_drift(found: _Compared, adjusted: float, alpha: float) -> ColumnDrift:
    test, sides, result, change = DRIFT_TESTS[found.test], found.sides, found.result, found.change
    is_drifted = result.p_value is not None and adjusted <= alpha
    chance = f"adjusted p {adjusted:.3g}, alpha {alpha:g}"
    if test.measure == "distance":
        threshold = test.threshold
        evidence = f"distance {result.statistic:.4g}, threshold {threshold:g}"
        if result.p_value is not None:
            evidence += f", {'' if is_drifted else 'which chance explains: '}{chance}"
    else:
        threshold = alpha
        evidence = f"statistic {result.statistic:.4g}, {chance}"
    return ColumnDrift(
        column=sides.column,
        kind=sides.kind,
        test=found.test,
        measure=test.measure,
        statistic=result.statistic if math.isfinite(result.statistic) else None,
        p_value=result.p_value,
        p_value_adjusted=None if result.p_value is None else adjusted,
        threshold=threshold,
        is_drifted=is_drifted,
        n_reference=sides.n_reference,
        n_current=sides.n_current,
        missing_share_reference=sides.missing_share_reference,
        missing_share_current=sides.missing_share_current,
        numeric_change=change if isinstance(change, NumericChange) else None,
        category_changes=change if isinstance(change, tuple) else (),
        text=result.text,
        note=result.note,
        summary=describe(
            sides, change, is_drifted=is_drifted, evidence=f"{found.test}: {evidence}"
        ),
    )


def _clearest_first(drift: ColumnDrift) -> tuple[bool, float, float, str]:
    size = math.inf if drift.statistic is None else drift.statistic
    if drift.measure == "p_value" and drift.p_value_adjusted is not None:
        closeness = drift.p_value_adjusted / drift.threshold
    else:
        closeness = drift.threshold / size if size > 0 else math.inf
    return (not drift.is_drifted, closeness, -size, drift.column)


def _report(
    drifts: Sequence[ColumnDrift],
    *,
    alpha: float,
    correction: Correction,
    share_threshold: float,
    changes: tuple[SchemaChange, ...],
    unchecked: tuple[str, ...],
) -> DriftReport:
    lost = tuple(change.column for change in changes)
    drifted = (*lost, *(drift.column for drift in drifts if drift.is_drifted))
    n_columns = len(lost) + len(drifts)
    share = len(drifted) / n_columns
    is_drifted = share >= share_threshold
    verdict = "The data drifted" if is_drifted else "The data as a whole did not drift"
    named = f": {listed(drifted[:10])}{', ...' if len(drifted) > 10 else ''}" if drifted else ""
    return DriftReport(
        is_drifted=is_drifted,
        is_any_column_drifted=bool(drifted),
        drifted_columns=drifted,
        n_columns=n_columns,
        n_drifted=len(drifted),
        share_drifted=share,
        share_threshold=share_threshold,
        alpha=alpha,
        correction=correction,
        columns=tuple(drifts),
        schema_changes=changes,
        unchecked_columns=unchecked,
        summary=f"{verdict}: {len(drifted)} of {n_columns} columns drifted "
        f"({share:.0%}, threshold {share_threshold:.0%}){named}.{_told(changes)}",
    )


def _told(changes: Sequence[SchemaChange]) -> str:
    shown = "".join(f" {change.summary}" for change in changes[:MOST_TOLD])
    n_more = len(changes) - MOST_TOLD
    return f"{shown} {n_more} more cannot be compared." if n_more > 0 else shown
