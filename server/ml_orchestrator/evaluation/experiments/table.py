"""An experiment read from a table or from counts: arms with their outcomes, control first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, Experiment, mean_of
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.numerics.mean_tests import SampleMean
from ml_orchestrator.numerics.proportions import Successes

__all__ = [
    "Table",
    "column",
    "control_first",
    "is_binary",
    "numbers",
    "read_experiment",
    "read_summary",
    "unit_codes",
]

MOST_ARMS = 20
MOST_SPELLED_OUT = 1_000_000  # outcomes of a summary
MOST_COUNTED = 10**12  # units of an arm of a summary
SIZES = (1e-60, 1e60)  # of numbers: their fourth powers neither vanish nor overflow
USUAL_CONTROLS = ("control", "a", "baseline", "0", "champion", "false")
_WANTED = {
    "outcome": "Give numbers, or 0 and 1 for what did not and did happen.",
    "time": "Give numbers that rise with time, or dates as 2026-01-31T12:00:00 in a file.",
}
_SIZES_SAID = f"numbers other than 0 must be from {SIZES[0]:g} to {SIZES[1]:g} in size."
Numbers = NDArray[np.float64]
Table = Mapping[str, NDArray[Any]]


def read_experiment(table: Table, options: ExperimentOptions) -> Experiment:
    """Return the arms of a table; rows without an arm are left out, and counted.

    Args:
        table: column to array of shape ``(n_rows,)``: float64 with NaN for missing, or objects
            (text) with None.
        options: which columns are what.

    Raises:
        InvalidInputError: a column is not there or of the wrong kind, there are not 2 to 20 arms,
            or one has fewer than two outcomes.
    """
    names = np.array([_name(value) for value in column(table, options.arm, "arm")], dtype=object)
    outcomes = numbers(table, options.outcome, "outcome")
    order = _order(table, options.time_column, outcomes.size)
    units = unit_codes(table, options.unit)
    known = sorted({name for name in names if name is not None})
    ordered = control_first(known, options.control)
    place = np.empty(outcomes.size, dtype=np.int64)
    place[order] = np.arange(outcomes.size)
    everything = [order[names[order] == name] for name in ordered]
    present = [rows[np.isfinite(outcomes[rows])] for rows in everything]
    is_zero_one = is_binary(np.concatenate([outcomes[rows] for rows in present]))
    is_repeated = units is not None and any(
        np.unique(units[rows]).size < rows.size for rows in present
    )
    arms = tuple(
        _arm(
            name,
            outcomes[rows],
            n_units=all_rows.size if units is None else np.unique(units[all_rows]).size,
            n_missing=all_rows.size - rows.size,
            units=units[rows] if is_repeated and units is not None else None,
            places=place[rows],
            is_zero_one=is_zero_one,
        )
        for name, all_rows, rows in zip(ordered, everything, present, strict=True)
    )
    n_left_out = int(np.count_nonzero(names == None))  # noqa: E711 each element is compared
    notices = [f"{n_left_out:,} rows without an arm were left out."] if n_left_out else []
    if options.control is None:
        notices.append(f"The control is {ordered[0]!r}; name another with control.")
    return Experiment(
        arms, tuple(present), tuple(everything), _n_shared(units, everything), tuple(notices)
    )


def read_summary(
    summary: Mapping[str, Mapping[str, float]], options: ExperimentOptions
) -> Experiment:
    """Return arms from counts (``n``, ``successes``) or moments (``n``, ``mean``, ``sd``).

    Raises:
        InvalidInputError: an arm has other numbers, or there are not 2 to 20 arms.
    """
    kinds = {frozenset(numbers) for numbers in summary.values()}
    if kinds not in ({frozenset({"n", "successes"})}, {frozenset({"n", "mean", "sd"})}):
        raise InvalidInputError(
            "Counts by arm take for every arm n and successes, or for every arm n, mean and sd; "
            "found "
            + "; ".join(f"{arm}: {', '.join(given)}" for arm, given in summary.items())
            + "."
        )
    ordered = control_first(sorted(summary), options.control)
    return Experiment(tuple(_summed(name, summary[name]) for name in ordered))


def column(table: Table, name: str | None, role: str) -> NDArray[Any]:
    """Return the column of that role.

    Raises:
        InvalidInputError: none is named, or the table does not have it.
    """
    if name is None or name not in table:
        asked = f"No {role} is named" if name is None else f"{role} {name!r:.80} is no column"
        raise InvalidInputError(f"{asked}; the table has {', '.join(table)}.")
    return table[name]


def numbers(table: Table, name: str | None, role: str) -> Numbers:
    """Return a column of numbers, NaN where missing.

    Raises:
        InvalidInputError: it is not there, holds text, or numbers so small or large that their
            squares are lost.
    """
    values = column(table, name, role)
    if values.dtype == object:
        shown = next((value for value in values if value is not None), None)
        raise InvalidInputError(
            f"{role} {name!r} holds text such as {shown!r:.80}. "
            + _WANTED.get(role, "Give numbers.")
        )
    found: Numbers = np.where(np.isfinite(values), values, np.nan)
    largest = float(np.abs(found[np.isfinite(found)]).max(initial=0.0))
    if not _can_be_squared(largest):
        raise InvalidInputError(
            f"{role} {name!r:.80}: the largest of its numbers is {largest:g}, and "
            f"{_SIZES_SAID} Give it in another unit."
        )
    return found


def is_binary(values: Numbers) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def _arm(
    name: str,
    values: Numbers,
    *,
    n_units: int,
    n_missing: int,
    units: NDArray[np.int64] | None,
    places: NDArray[np.int64],
    is_zero_one: bool,
) -> Arm:
    n_independent = values.size if units is None else np.unique(units).size
    if n_independent < 2:
        raise InvalidInputError(
            f"Arm {name!r} has {n_independent} independent outcome(s); at least 2 are needed. "
            "Wait for more, or leave its rows out."
        )
    counts = Successes(int(values.sum()), values.size) if is_zero_one else None
    sample = mean_of(values, units)
    sd = float(values.std(ddof=1))
    return Arm(name, n_units, n_missing, sample, sd, counts, values.size, values, units, places)


def _summed(name: str, given: Mapping[str, float]) -> Arm:
    _check_summary(name, given)
    n = given["n"]
    size, counts, values = int(n), None, None
    if "successes" in given:
        counts = Successes(int(given["successes"]), size)
        if size <= MOST_SPELLED_OUT:
            values = np.repeat([1.0, 0.0], [counts.successes, size - counts.successes])
        mean, variance = counts.rate, counts.rate * (1 - counts.rate) * size / (size - 1)
    else:
        mean, variance = float(given["mean"]), float(given["sd"]) ** 2
    return Arm(
        name, size, 0, SampleMean(size, mean, variance / size), float(np.sqrt(variance)), counts,
        size, values,
    )  # fmt: skip


def _check_summary(name: str, given: Mapping[str, float]) -> None:
    """Refuse what cannot be counted or squared; whole numbers may be of any length."""
    if not (2 <= given["n"] <= MOST_COUNTED and given["n"] == int(given["n"])):
        raise InvalidInputError(
            f"Arm {name!r:.80}: n must be a whole number from 2 to {MOST_COUNTED:,}; found "
            f"{given['n']!s:.80}."
        )
    if "successes" in given:
        if not (0 <= given["successes"] <= given["n"]) or given["successes"] % 1:
            raise InvalidInputError(
                f"Arm {name!r:.80}: successes must be a whole number from 0 to n, which is "
                f"{given['n']}; found {given['successes']!s:.80}."
            )
    elif given["sd"] < 0 or not all(_can_be_squared(abs(given[key])) for key in ("mean", "sd")):
        raise InvalidInputError(
            f"Arm {name!r:.80}: found mean {given['mean']!s:.80} and sd {given['sd']!s:.80}. sd "
            f"must be at least 0, and {_SIZES_SAID} Give them in another unit."
        )


def _can_be_squared(size: float) -> bool:
    return size == 0 or SIZES[0] <= size <= SIZES[1]


def _name(value: Any) -> str | None:
    """Return an arm as text; whole numbers without a point."""
    if value is None or value != value:  # noqa: PLR0124 NaN
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(float(value))
    return str(value)


def control_first(names: Sequence[str], control: str | None) -> list[str]:
    """Return the arms with the control first: the one named, a usual one, or the first.

    Raises:
        InvalidInputError: there are not 2 to 20 arms, or the control is none of them.
    """
    if not 2 <= len(names) <= MOST_ARMS:
        raise InvalidInputError(
            f"An experiment has 2 to {MOST_ARMS} arms; found {len(names)}: "
            f"{', '.join(names[:MOST_ARMS])}. Is this the column of the arm?"
        )
    if control is not None and control not in names:
        raise InvalidInputError(f"No arm {control!r:.80}; the arms are {', '.join(names)}.")
    usual = (name for known in USUAL_CONTROLS for name in names if name.lower() == known)
    first = control or next(usual, names[0])
    return [first, *(name for name in names if name != first)]


def _order(table: Table, time_column: str | None, n_rows: int) -> NDArray[np.intp]:
    if time_column is None:
        return np.arange(n_rows)
    times = numbers(table, time_column, "time")
    if np.isnan(times).any():
        raise InvalidInputError(
            f"time {time_column!r} lacks {int(np.isnan(times).sum())} values, so these rows "
            "cannot be put in order. Fill them in, or leave the rows out."
        )
    return np.argsort(times, kind="stable")


def unit_codes(table: Table, name: str | None) -> NDArray[np.int64] | None:
    """Return whose row each is, as whole numbers; None without a column.

    Raises:
        InvalidInputError: it is not there, or a row lacks it.
    """
    if name is None:
        return None
    texts = np.array([_name(value) for value in column(table, name, "unit")], dtype=object)
    if any(text is None for text in texts):
        raise InvalidInputError(
            f"unit {name!r} lacks {sum(t is None for t in texts)} values. Each row needs its unit."
        )
    codes: NDArray[np.int64] = np.unique(texts.astype(str), return_inverse=True)[1].astype(np.int64)
    return codes


def _n_shared(units: NDArray[np.int64] | None, rows: Sequence[NDArray[np.intp]]) -> int:
    """Return how many units have rows in more than one arm."""
    if units is None:
        return 0
    arms_of = np.concatenate([np.unique(units[part]) for part in rows])
    return int(np.count_nonzero(np.bincount(arms_of) > 1))
