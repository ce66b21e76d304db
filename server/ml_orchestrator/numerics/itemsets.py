"""Sets of up to three binary features that rows hold together, and sums over their rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["MAX_SIZE", "FeatureSets", "frequent_sets"]

MAX_SIZE = 3
MOST_ROWS = 2**24  # float32 counts exactly up to here
_NONE = -1  # in place of a feature in sets of fewer than three


@dataclass(frozen=True, slots=True)
class FeatureSets:
    """Sets of features, each with the number of rows that hold all of its features.

    Smaller sets come first, then in the order of their features.

    Attributes:
        features: shape ``(n_rows, n_features)``, of booleans.
        members: shape ``(n_sets, 3)``; features of a set in ascending order, then -1.
        counts: shape ``(n_sets,)``; rows that hold the set.
    """

    features: NDArray[np.bool_]
    members: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Features of each set, shape ``(n_sets,)``."""
        return np.asarray((self.members != _NONE).sum(axis=1), dtype=np.int64)

    def items(self, index: int) -> tuple[int, ...]:
        """Return the features of one set, ascending."""
        return tuple(int(item) for item in self.members[index] if item != _NONE)

    def sums(self, values: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of ``values``, shape ``(n_rows,)``, over each set's rows."""
        singles, triples = _sums(self.features, values)
        first, second, third = self.members.T
        found = triples[first, np.where(second == _NONE, first, second), third]
        found = np.where(third == _NONE, triples[first, second, second], found)
        return np.asarray(np.where(second == _NONE, singles[first], found))

    def keep(self, chosen: NDArray[np.bool_]) -> "FeatureSets":
        """Return only the chosen sets."""
        return FeatureSets(self.features, self.members[chosen], self.counts[chosen])


def frequent_sets(
    features: ArrayLike, *, min_count: int, max_size: int = MAX_SIZE, max_sets: int = 500_000
) -> FeatureSets:
    """Return every set of up to ``max_size`` features that at least ``min_count`` rows hold.

    Counts all sets that begin with a feature by one matrix product over the rows that hold it,
    instead of one set after another; the sets are those of the Apriori algorithm.

    Args:
        features: shape ``(n_rows, n_features)``, booleans or 0 and 1.
        min_count: from 1.
        max_size: 1, 2 or 3.
        max_sets: more than so many are refused.

    Raises:
        InvalidInputError: the array is not a table of 0 and 1, a limit is out of range, or there
            are more sets than allowed.

    References:
        R. Agrawal, R. Srikant, "Fast algorithms for mining association rules", VLDB 1994.

    >>> table = [[1, 1, 0], [1, 1, 0], [1, 0, 1]]
    >>> found = frequent_sets(table, min_count=2)
    >>> [(found.items(i), int(n)) for i, n in enumerate(found.counts)]
    [((0,), 3), ((1,), 2), ((0, 1), 2)]
    """
    table = _checked(features, min_count, max_size)
    singles, triples = _sums(table, np.ones(len(table), dtype=np.bool_))
    found = [_singles(singles, min_count)]
    if max_size > 1:
        found.append(_pairs(triples, min_count))
    if max_size > 2:
        found.append(_triples(triples, min_count))
    members = np.concatenate([members for members, _ in found])
    if len(members) > max_sets:
        raise InvalidInputError(
            f"{len(members):,} sets of features are held by {min_count:,} rows or more; at most "
            f"{max_sets:,} are handled. Raise the support, or give fewer features."
        )
    counts = np.concatenate([counts for _, counts in found]).round().astype(np.int64)
    return FeatureSets(table, members, counts)


def _sums(
    features: NDArray[np.bool_], values: NDArray[np.bool_] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums over the rows of single features, and of triples ``[i, j, k]``, i < j <= k.

    With j = k they are those of the pair.
    """
    kind: type[np.floating[Any]] = (
        np.float32 if values.dtype == np.bool_ else np.float64
    )  # sums of 0 and 1 stay exact
    numbers, weights = features.astype(kind), values.astype(kind)
    n_features = features.shape[1]
    triples = np.zeros((n_features,) * 3)
    for i in range(n_features - 1):
        held = np.flatnonzero(features[:, i] & (values != 0))
        rest = numbers[held, i + 1 :]
        triples[i, i + 1 :, i + 1 :] = (rest * weights[held, None]).T @ rest
    return numbers.T.astype(np.float64) @ weights.astype(np.float64), triples


def _singles(
    sums: NDArray[np.float64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    first = np.flatnonzero(sums >= least)
    absent = np.full_like(first, _NONE)
    return np.column_stack([first, absent, absent]), sums[first]


def _pairs(sums: NDArray[np.float64], least: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    pairs = np.einsum("ijj->ij", sums)
    first, second = np.nonzero(pairs >= least)
    return np.column_stack([first, second, np.full_like(first, _NONE)]), pairs[first, second]


def _triples(
    sums: NDArray[np.float64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    n_features = len(sums)
    is_upper = np.triu(np.ones((n_features, n_features), dtype=np.bool_), k=1)
    found = np.nonzero((sums >= least) & is_upper[None])
    return np.column_stack(found), sums[found]


def _checked(features: ArrayLike, min_count: int, max_size: int) -> NDArray[np.bool_]:
    table = np.asarray(features)
    if table.ndim != 2 or table.size == 0 or not np.isin(table, (0, 1)).all():
        raise InvalidInputError(
            "Features must be a table of 0 and 1 (or booleans) with rows and columns; found shape "
            f"{table.shape} of {table.dtype}."
        )
    if len(table) > MOST_ROWS:
        raise InvalidInputError(f"At most {MOST_ROWS:,} rows are counted; found {len(table):,}.")
    if min_count < 1 or not 1 <= max_size <= MAX_SIZE:
        raise InvalidInputError(
            f"min_count must be at least 1 and max_size 1 to {MAX_SIZE}; found {min_count} and "
            f"{max_size}."
        )
    return table.astype(np.bool_)
