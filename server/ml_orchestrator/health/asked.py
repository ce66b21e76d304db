"""What a comparison of two tables is asked for, checked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import each_near
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.health.models import Correction, SchemaChange

__all__ = ["AUTO", "MOST_TOLD", "check_options", "checked_columns", "listed", "wanted_tests"]

AUTO = "auto"
MOST_TOLD = 3  # schema changes in a sentence


def check_options(alpha: float, correction: str, share_threshold: float) -> None:
    """Refuse options that are out of range.

    Raises:
        InvalidInputError: one is.
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must lie between 0 and 1; found {alpha}.")
    if not 0 < share_threshold <= 1:
        raise InvalidInputError(
            f"share_threshold must be above 0 and at most 1; found {share_threshold}."
        )
    if correction not in get_args(Correction):
        known = ", ".join(get_args(Correction))
        raise InvalidInputError(f"No correction named {correction!r}; known: {known}.")


def checked_columns(
    reference: Columns,
    current: Columns,
    columns: Sequence[str] | None,
    changes: Sequence[SchemaChange],
) -> tuple[str, ...]:
    """Return what to compare, once each: all columns of the reference when ``columns`` is None.

    Raises:
        InvalidInputError: there is none, or a sample lacks one.
    """
    names = tuple(dict.fromkeys(reference if columns is None else columns))
    if not names and changes:
        told = " ".join(change.summary for change in changes[:MOST_TOLD])
        raise InvalidInputError(
            f"No column is left to compare. {told} The current sample has {listed(current)}."
        )
    if not names:
        raise InvalidInputError(f"No columns to compare; the reference has {listed(reference)}.")
    for side, table in (("reference", reference), ("current", current)):
        if absent := [name for name in names if name not in table]:
            raise InvalidInputError(
                f"The {side} sample has no column {each_near(absent, table)}; it has "
                f"{listed(table)}."
            )
    return names


def wanted_tests(names: Sequence[str], tests: Mapping[str, str] | str) -> dict[str, str]:
    """Return the test of each column; `AUTO` where none is named for it.

    Raises:
        InvalidInputError: one is named for a column that is not compared.
    """
    wanted = dict.fromkeys(names, tests) if isinstance(tests, str) else tests
    if unknown := [name for name in wanted if name not in names]:
        raise InvalidInputError(
            f"A test was named for {listed(unknown)}, which is not compared; compared: "
            f"{listed(names)}."
        )
    return {name: wanted.get(name, AUTO) for name in names}


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(repr(name) for name in names) or "none"
