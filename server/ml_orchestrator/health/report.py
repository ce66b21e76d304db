"""Drift of a whole table: one test per column, correction, and a decision."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
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
from ml_orchestrator.health.models import ColumnDrift, Correction, DriftReport, NumericChange
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg, holm

__all__ = ["AUTO", "adjust", "check_drift"]

AUTO = "auto"
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
    embed: Embed | None = None,
) -> DriftReport:
    """Compare two tables column by column and decide whether the data drifted.

    Each column gets one test. P values are adjusted together for the number of columns that
    have one; such a column drifts when its adjusted p value is at most ``alpha``. A column
    measured by a distance drifts when the distance reaches the test's own threshold. The table
    drifts when the share of drifted columns reaches ``share_threshold``.

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
        embed: texts to vectors, shape ``(n_texts, n_dimensions)``; columns of text are then
            compared by meaning too.

    Raises:
        InvalidInputError: an option is out of range, a column is absent, unknown, differs in
            kind or has no value, or a test does not take its column.
        NotFoundError: a test has an unknown name.
    """
    _check_options(alpha, correction, share_threshold)
    names = _checked_columns(reference, current, columns)
    wanted = _wanted_tests(names, tests)
    side_by_side = _in_threads if _is_large(reference, current, names) else map
    compared = side_by_side(
        lambda name: _compared(Pair.read(name, reference, current), wanted[name], embed), names
    )
    found = dict(zip(names, compared, strict=True))
    p_values = {n: c.result.p_value for n, c in found.items() if c.result.p_value is not None}
    adjusted = adjust(p_values, correction)
    drifts = [_column_drift(found[name], adjusted.get(name), alpha) for name in names]
    given = dict.fromkeys([*reference, *current])
    return _report(
        sorted(drifts, key=_clearest_first),
        alpha=alpha,
        correction=correction,
        share_threshold=share_threshold,
        unchecked=tuple(name for name in given if name not in found),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """What one column's test and description say; the column itself is not kept."""

    sides: Sides
    test: str
    result: Measurement
    change: Change


def _compared(pair: Pair, wanted: str, embed: Embed | None) -> _Compared:
    test = choose_test(pair) if wanted == AUTO else wanted
    if test == "text" and embed is not None and pair.reference.kind == "categorical":
        result = compare_texts(pair.reference, pair.current, embed=embed)
    else:
        result = measure(pair, test)
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


def _check_options(alpha: float, correction: str, share_threshold: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; found {alpha}.")
    if not 0 < share_threshold <= 1:
        raise InvalidInputError(
            f"share_threshold must be above 0 and at most 1; found {share_threshold}."
        )
    if correction not in _CORRECTIONS:
        known = ", ".join(get_args(Correction))
        raise InvalidInputError(f"No correction named {correction!r}; known: {known}.")


def _checked_columns(
    reference: Columns, current: Columns, columns: Sequence[str] | None
) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(reference if columns is None else columns))
    if not names:
        raise InvalidInputError(f"No columns to compare; the reference has {_listed(reference)}.")
    for side, table in (("reference", reference), ("current", current)):
        if absent := [name for name in names if name not in table]:
            raise InvalidInputError(
                f"The {side} sample has no column {_listed(absent)}; it has {_listed(table)}."
            )
    return names


def _wanted_tests(names: Sequence[str], tests: Mapping[str, str] | str) -> dict[str, str]:
    wanted = dict.fromkeys(names, tests) if isinstance(tests, str) else tests
    if unknown := [name for name in wanted if name not in names]:
        raise InvalidInputError(
            f"A test was named for {_listed(unknown)}, which is not compared; compared: "
            f"{_listed(names)}."
        )
    return {name: wanted.get(name, AUTO) for name in names}


def adjust(p_values: Mapping[K, float], correction: Correction) -> dict[K, float]:
    """Return p values adjusted for how many there are, by the same keys."""
    adjusted = _CORRECTIONS[correction](list(p_values.values()))
    return dict(zip(p_values, adjusted.tolist(), strict=True))


def _column_drift(found: _Compared, adjusted: float | None, alpha: float) -> ColumnDrift:
    test, sides, result, change = DRIFT_TESTS[found.test], found.sides, found.result, found.change
    if adjusted is None:
        threshold = test.threshold
        is_drifted = result.statistic >= threshold
        evidence = f"distance {result.statistic:.4g}, threshold {threshold:g}"
    else:
        threshold = alpha
        is_drifted = adjusted <= threshold
        evidence = f"statistic {result.statistic:.4g}, adjusted p {adjusted:.3g}, alpha {alpha:g}"
    return ColumnDrift(
        column=sides.column,
        kind=sides.kind,
        test=found.test,
        measure=test.measure,
        statistic=result.statistic if math.isfinite(result.statistic) else None,
        p_value=result.p_value,
        p_value_adjusted=adjusted,
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
    if drift.p_value_adjusted is not None:
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
    unchecked: tuple[str, ...],
) -> DriftReport:
    drifted = tuple(drift.column for drift in drifts if drift.is_drifted)
    share = len(drifted) / len(drifts)
    is_drifted = share >= share_threshold
    verdict = "The data drifted" if is_drifted else "The data as a whole did not drift"
    named = f": {_listed(drifted[:10])}{', ...' if len(drifted) > 10 else ''}" if drifted else ""
    return DriftReport(
        is_drifted=is_drifted,
        is_any_column_drifted=bool(drifted),
        drifted_columns=drifted,
        n_columns=len(drifts),
        n_drifted=len(drifted),
        share_drifted=share,
        share_threshold=share_threshold,
        alpha=alpha,
        correction=correction,
        columns=tuple(drifts),
        unchecked_columns=unchecked,
        summary=f"{verdict}: {len(drifted)} of {len(drifts)} columns drifted "
        f"({share:.0%}, threshold {share_threshold:.0%}){named}.",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
