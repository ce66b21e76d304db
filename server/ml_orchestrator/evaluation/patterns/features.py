"""Columns of any kind as binary features whose cuts only the first part has seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.cuts import Cut, cut_numbers
from ml_orchestrator.evaluation.patterns.table import CaseTable

__all__ = ["MOST_FEATURES", "Features", "binary_features"]

MOST_FEATURES = 120
MOST_LEVELS = 20
MOST_TEXT_SHARE = 0.5  # distinct values per case, above which text is no category
LONGEST_VALUE = 60
SEPARATOR = ">"  # of events in order


@dataclass(frozen=True, slots=True)
class Features:
    """Binary features of all cases.

    Attributes:
        names: one for each column of ``values``.
        values: shape ``(n_cases, n_features)``.
        notices: what became of columns, one sentence each.
        cuts: numbers cut elsewhere than in the middle; candidates alone, never in a set.
    """

    names: tuple[str, ...]
    values: NDArray[np.bool_]
    notices: tuple[str, ...]
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Feature:
    name: str
    values: NDArray[np.bool_]


def binary_features(
    table: CaseTable, columns: Sequence[str], *, learn_on: NDArray[np.int64], least: int
) -> Features:
    """Return the features that ``least`` cases of the first part hold, and as many do not.

    A number becomes "above its median", a category one feature for each of its levels (of two
    levels the rarer one), a missing value a feature of its own and none of the others. Cuts,
    levels and what is left out are learnt on ``learn_on`` alone. A feature that equals another
    one there, or is its opposite, is left out with notice. Ends and ranges of numbers are cuts.
    There may be no feature at all: ``values`` has no columns then.

    Raises:
        InvalidInputError: more than 120 features are left.
    """
    made, notices = [], []
    for column in columns:
        found = list(_of_column(column, table[column], learn_on))
        if not found:
            notices.append(_left_out(column, table[column], learn_on, least))
        usable = [one for one in found if _is_usable(one.values[learn_on], least)]
        if found and not usable:
            notices.append(_left_out(column, table[column], learn_on, least))
        made += usable
    kept, repeats = _without_repeats(made, learn_on)
    _check_number(len(kept), columns)
    none = np.zeros((len(next(iter(table.values()))), 0), dtype=np.bool_)
    values = np.column_stack([one.values for one in kept]) if kept else none
    numbers = [(name, table[name]) for name in columns if table[name].dtype != object]
    cuts, more = cut_numbers(numbers, values.T, learn_on=learn_on, least=least)
    return Features(tuple(one.name for one in kept), values, (*notices, *repeats, *more), cuts)


def _left_out(column: str, values: NDArray[Any], rows: NDArray[np.int64], least: int) -> str:
    known = [v for v in values[rows] if v is not None] if values.dtype == object else []
    n_distinct = len(set(known))
    if n_distinct <= MOST_LEVELS:
        return (
            f"{column}: left out, constant or nearly so: fewer than {least:,} cases of the first "
            "part differ."
        )
    is_events = sum(SEPARATOR in v for v in known) > MOST_TEXT_SHARE * len(known)
    advice = (
        "If it holds events in order, name it in sequence."
        if is_events
        else "If it holds names or free text, make columns of what may matter in it."
    )
    return (
        f"{column}: left out, {n_distinct:,} different values, of which too few cases hold any "
        f"one ({least:,} are needed in the first part). {advice}"
    )


def _is_usable(values: NDArray[np.bool_], least: int) -> bool:
    return bool(least <= np.count_nonzero(values) <= len(values) - least)


def _of_column(name: str, values: NDArray[Any], learn_on: NDArray[np.int64]) -> Iterator[_Feature]:
    is_text = values.dtype == object
    is_missing = np.array([v is None for v in values]) if is_text else ~np.isfinite(values)
    if is_text:
        found = list(_of_levels(name, values, is_missing, learn_on))
    else:
        found = list(_of_numbers(name, values, is_missing, learn_on))
    yield from found
    if found and is_missing[learn_on].any():
        yield _Feature(f"{name} is missing", is_missing)


def _of_numbers(
    name: str, values: NDArray[np.float64], is_missing: NDArray[np.bool_], rows: NDArray[np.int64]
) -> Iterator[_Feature]:
    known = np.sort(values[rows][~is_missing[rows]])
    distinct = np.unique(known)
    if distinct.size == 2:
        high = distinct[1]
        label = name if (distinct == (0, 1)).all() else f"{name} = {high:g}"
        yield _Feature(label, values == high)
    elif distinct.size:
        cut = _middle_cut(known, distinct)
        yield _Feature(f"{name} > {cut:.4g}", values > cut)


def _middle_cut(known: NDArray[np.float64], distinct: NDArray[np.float64]) -> float:
    """Return the value that leaves closest to half of the values above it."""
    above = known.size - np.searchsorted(known, distinct, side="right")
    return float(distinct[np.argmin(np.abs(above - known.size / 2))])


def _of_levels(
    name: str, values: NDArray[Any], is_missing: NDArray[np.bool_], rows: NDArray[np.int64]
) -> Iterator[_Feature]:
    known = values[rows][~is_missing[rows]].astype(str)
    levels, counts = np.unique(known, return_counts=True)
    if levels.size > MOST_LEVELS and levels.size > MOST_TEXT_SHARE * known.size:
        return
    order = np.argsort(-counts, kind="stable")
    named = [order[-1]] if levels.size == 2 else order[:MOST_LEVELS]
    for level in levels[named]:
        yield _Feature(f"{name} = {level[:LONGEST_VALUE]}", values == level)


def _without_repeats(
    features: Sequence[_Feature], rows: NDArray[np.int64]
) -> tuple[list[_Feature], list[str]]:
    kept: list[_Feature] = []
    first: dict[bytes, str] = {}
    notices = []
    for one in features:
        here = one.values[rows]
        same, opposite = np.packbits(here).tobytes(), np.packbits(~here).tobytes()
        if same in first:
            notices.append(f"{one.name}: the same cases as {first[same]!r}, which stands for both.")
        elif opposite in first:
            notices.append(
                f"{one.name}: the opposite of {first[opposite]!r}, which stands for both."
            )
        else:
            first[same] = one.name
            kept.append(one)
    return kept, notices


def _check_number(n_features: int, columns: Sequence[str]) -> None:
    if n_features > MOST_FEATURES:
        raise InvalidInputError(
            f"{len(columns)} columns make {n_features} binary features; at most {MOST_FEATURES} "
            "are searched. Name fewer columns in features, or join rare levels of categories."
        )
