"""Three parts of the cases that share none: to select, to test, to replicate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["LEAST_CASES", "LEAST_GROUPS", "SHARES", "Parts", "cut_parts"]

SHARES = (0.6, 0.2, 0.2)
LEAST_CASES = 300
LEAST_GROUPS = 100  # so that twenty stand in the smaller parts: their errors need as many


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers of the rows of each part, ascending."""

    selection: NDArray[np.int64]
    test: NDArray[np.int64]
    replication: NDArray[np.int64]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows of each part."""
        return len(self.selection), len(self.test), len(self.replication)


def cut_parts(
    n_cases: int,
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
    times: NDArray[Any] | None = None,
) -> Parts:
    """Return the parts: groups stay whole; with ``times`` each part is later than the one before.

    Args:
        n_cases: rows.
        seed: of the draw; not used with ``times``.
        groups: number of each row's group.
        times: a number for each row; a group stands where its first row does.

    Raises:
        InvalidInputError: there are too few cases or groups to say anything.
    """
    if n_cases < LEAST_CASES:
        raise InvalidInputError(
            f"{n_cases:,} cases with an outcome are too few to find patterns and to check them on "
            f"cases of their own: at least {LEAST_CASES} are needed, and some 8,000 to find most "
            "effects of 10 points. Collect more, or compare two variants with experiment_evaluate."
        )
    units = np.arange(n_cases) if groups is None else groups
    names, places = np.unique(units, return_inverse=True)
    if groups is not None and len(names) < LEAST_GROUPS:
        raise InvalidInputError(
            f"{len(names)} groups are too few to cut into three parts of whole groups: at least "
            f"{LEAST_GROUPS} are needed. Collect more, or choose a finer group column."
        )
    part_of_unit = _assigned(_ordered(len(names), places, times, seed), places)
    part = part_of_unit[places]
    found = [np.flatnonzero(part == number) for number in range(3)]
    _check_sizes([len(rows) for rows in found])
    return Parts(*found)


def _ordered(
    n_units: int, places: NDArray[np.int64], times: NDArray[Any] | None, seed: int
) -> NDArray[np.int64]:
    """Return the units, at random or by their first time."""
    if times is None:
        return np.random.default_rng(seed).permutation(n_units)
    first = np.full(n_units, np.inf)
    np.minimum.at(first, places, times)
    return np.argsort(first, kind="stable")


def _assigned(order: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part of each unit, so that the parts hold their shares of the cases."""
    sizes = np.bincount(places, minlength=len(order))[order]
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    part = np.empty(len(order), dtype=np.int64)
    part[order] = np.searchsorted(np.cumsum(SHARES)[:2], middle, side="right")
    return part


def _check_sizes(sizes: list[int]) -> None:
    if min(sizes) < LEAST_CASES * min(SHARES) / 2:
        raise InvalidInputError(
            f"The groups are so unequal that the parts would hold {sizes[0]:,}, {sizes[1]:,} and "
            f"{sizes[2]:,} cases. Choose a finer group column, or leave out the largest groups."
        )
