"""The outcome as numbers, and the cases that have one."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["Outcome", "independent_cases", "numbered_groups", "read_outcome"]

FEWEST_OF_A_KIND = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """Attributes: finite ``values`` of the ``rows`` that have one; whether it is yes or no."""

    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    is_binary: bool
    notices: tuple[str, ...]


def read_outcome(name: str, column: NDArray[Any], *, is_time: bool = False) -> Outcome:
    """Return the outcome of the cases that have one.

    Numbers stay as they are; two numbers, or two words, become 0 and 1 (the later in order is 1).

    Raises:
        InvalidInputError: it never varies, one of two values is rare, it has more words, or it is
            a date or time.
    """
    if is_time:
        raise InvalidInputError(
            f"The outcome {name!r} holds dates or times. It must be a number, or have two values: "
            "give the days or seconds between two dates instead."
        )
    is_text = column.dtype == object
    known = np.array([v is not None for v in column]) if is_text else np.isfinite(column)
    rows = np.flatnonzero(known)
    values = column[rows].astype(str) if is_text else column[rows].astype(np.float64)
    distinct, counts = np.unique(values, return_counts=True)
    notices = []
    if len(rows) < len(column):
        notices.append(f"{len(column) - len(rows):,} cases without a {name} are left out.")
    if distinct.size < 2 or (is_text and distinct.size > 2):
        raise InvalidInputError(_unusable(name, distinct))
    is_binary = distinct.size == 2
    if is_binary:
        if counts.min() < FEWEST_OF_A_KIND:
            raise InvalidInputError(
                f"Only {counts.min()} cases have the {name} {distinct[counts.argmin()]}; at least "
                f"{FEWEST_OF_A_KIND} of each kind are needed. Collect more cases."
            )
        values = (values == distinct[1]).astype(np.float64)
        if distinct.astype(str).tolist() != ["0.0", "1.0"]:
            notices.append(f"The outcome is the share of cases with {name} = {distinct[1]}.")
    return Outcome(values, rows, is_binary, tuple(notices))


def numbered_groups(column: NDArray[Any], rows: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Return the number of each row's group.

    Raises:
        InvalidInputError: a case has no group.
    """
    here = column[rows]
    missing = np.array([v is None or (isinstance(v, float) and math.isnan(v)) for v in here])
    if missing.any():
        raise InvalidInputError(
            f"{missing.sum():,} cases have no {name}, so it is not known whom they belong with. "
            "Fill the group column, or leave these cases out."
        )
    return np.unique(here.astype(str) if here.dtype == object else here, return_inverse=True)[1]


def independent_cases(outcome: NDArray[np.float64], groups: NDArray[np.int64] | None) -> float:
    """Return how many independent cases these are worth, by how alike a group's outcomes are.

    Cases divided by the design effect ``1 + (size - 1) * correlation`` within groups, the
    correlation from the analysis of variance. It holds for features that a whole group shares;
    for others it is too careful.

    Reference: L. Kish, Survey Sampling, 1965.
    """
    if groups is None:
        return float(len(outcome))
    places = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(places)
    means = np.bincount(places, outcome) / sizes
    n, n_groups = len(outcome), len(sizes)
    if n == n_groups:
        return float(n)
    size = (n - (sizes**2).sum() / n) / (n_groups - 1)
    between = (sizes * (means - outcome.mean()) ** 2).sum() / (n_groups - 1)
    within = ((outcome - means[places]) ** 2).sum() / (n - n_groups)
    alike = max(0.0, (between - within) / (between + (size - 1) * within))
    return float(n / (1 + ((sizes**2).sum() / n - 1) * alike))


def _unusable(name: str, distinct: NDArray[Any]) -> str:
    if distinct.size < 2:
        found = f"only {distinct[0]}" if distinct.size else "nothing"
        return f"The outcome {name!r} must vary; it holds {found}. Choose another column."
    shown = ", ".join(str(value)[:40] for value in distinct[:5])
    return (
        f"The outcome {name!r} holds {distinct.size} different words, such as {shown}. It must be "
        "a number, or have two values: make a column that says whether it is one of them."
    )
