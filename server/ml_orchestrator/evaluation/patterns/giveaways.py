"""Columns and patterns so close to the outcome that they may be copies or results of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.evaluation.patterns.candidates import Candidate
from ml_orchestrator.evaluation.patterns.table import CaseTable

__all__ = ["giveaways"]

NEARLY_THE_OUTCOME = 0.95  # correlation


def giveaways(
    table: CaseTable,
    columns: Sequence[str],
    patterns: Sequence[Candidate],
    outcome: NDArray[np.float64],
) -> tuple[str, ...]:
    """Return names of columns of numbers, and of other patterns, that nearly are the outcome.

    Args:
        table: of the cases that have an outcome.
        columns: those that were searched.
        patterns: those that were selected.
        outcome: shape ``(n_cases,)``.
    """
    near = [
        name for name in columns if table[name].dtype != object and _is_near(table[name], outcome)
    ]
    others = [
        one.name
        for one in patterns
        if _is_near(one.holds.astype(np.float64), outcome)
        and not any(_speaks_of(item, name) for item in one.items for name in near)
    ]
    return (*near, *others)


def _speaks_of(item: str, column: str) -> bool:
    return item == column or item.startswith(f"{column} ") or f" < {column} <= " in item


def _is_near(values: NDArray[np.float64], outcome: NDArray[np.float64]) -> bool:
    known = np.isfinite(values)
    if np.count_nonzero(known) < len(outcome) / 2:
        return False
    first, second = values[known], outcome[known]
    first, second = first - first.mean(), second - second.mean()
    size = float(first @ first) * float(second @ second)
    return size > 0 and float(first @ second) ** 2 >= NEARLY_THE_OUTCOME**2 * size
