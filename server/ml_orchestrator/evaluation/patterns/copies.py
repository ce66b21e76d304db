"""Rows that are exact copies of each other: kept together, since a copy replicates itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.parts import LEAST_GROUPS
from ml_orchestrator.evaluation.patterns.table import CaseTable

__all__ = ["copies_of"]

NEARLY_UNIQUE = 0.9  # distinct numbers per different row
LEAST_DISTINCT = 50  # numbers of a column, below which rows repeat by themselves


def copies_of(
    table: CaseTable, columns: Sequence[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the group of each row, one group for all copies of a row, and what to tell of it.

    Rows of a few values repeat by themselves and say something each time. Where a column of
    numbers is nearly unique among different rows, they do not: then rows that agree in everything
    are copies. Without copies, or without such a column, there is no group and nothing to tell.

    Args:
        table: of the cases that are used.
        columns: in what copies agree.

    Returns:
        Groups, shape ``(n_cases,)``, or None; notices.

    Raises:
        InvalidInputError: so few rows are different that they cannot be cut into three parts.
    """
    numbers = [name for name in columns if table[name].dtype != object]
    counts = {name: len(np.unique(table[name])) for name in numbers}
    finest = max(counts, key=counts.__getitem__, default=None)
    if finest is None or counts[finest] < LEAST_DISTINCT:
        return None, ()
    rows, n_different = _codes(table[finest])
    n_cases = len(rows)
    for name in columns:
        if n_different == n_cases or counts[finest] < NEARLY_UNIQUE * n_different:
            return None, ()
        codes, size = _codes(table[name])
        rows, n_different = _codes(rows * size + codes)
    if n_different == n_cases or counts[finest] < NEARLY_UNIQUE * n_different:
        return None, ()
    if n_different < LEAST_GROUPS:
        raise InvalidInputError(
            f"{n_cases:,} cases are copies of {n_different:,} different rows (by {finest!r}, which "
            f"else hardly repeats); at least {LEAST_GROUPS} different ones are needed, since a "
            "copy replicates itself. Collect more cases, or leave that column out."
        )
    told = (
        f"{n_cases - n_different:,} of {n_cases:,} cases are exact copies of others: copies were "
        "kept in one part and counted as a group, since a copy replicates itself. Remove them, or "
        "give a group column."
    )
    return rows, (told,)


def _codes(values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Return a number for each row, equal for equal values, and how many there are."""
    plain = values.astype(str) if values.dtype == object else values
    distinct, codes = np.unique(plain, return_inverse=True)
    return codes.astype(np.int64), len(distinct)
