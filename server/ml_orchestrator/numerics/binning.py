"""Shares of two samples on common bins or categories."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.cell_kernels import counts_below
from ml_orchestrator.numerics.cells import CellSample, cells_of
from ml_orchestrator.numerics.samples import SampleLike, finite_sample, sorted_sample

__all__ = [
    "PairedCounts",
    "category_counts",
    "distinct_histogram_counts",
    "distinct_of_sorted",
    "has_more_distinct",
    "histogram_counts",
    "without_zeros",
]

MOST_SINGLE_VALUES = 20
N_LOOKED_AT = 1_000  # values that mostly show that there are more
SMALL_SHARE = 0.0001


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Counts of two samples on the same cells, each of shape ``(n_cells,)``."""

    reference: NDArray[np.int64]
    current: NDArray[np.int64]

    @property
    def reference_shares(self) -> NDArray[np.float64]:
        """Share of the reference in each cell; the sum is 1."""
        return _shares(self.reference)

    @property
    def current_shares(self) -> NDArray[np.float64]:
        """Share of the current sample in each cell; the sum is 1."""
        return _shares(self.current)


def category_counts(
    reference: Sequence[Hashable], current: Sequence[Hashable]
) -> tuple[list[Hashable], PairedCounts]:
    """Count each category that occurs in either sample.

    A category seen in one sample only counts zero in the other. Categories come in the order of
    their text, so equal samples in any row order give equal arrays. Sizes may differ.

    Raises:
        InvalidInputError: a sample is empty.

    >>> category_counts(["a", "b", "a"], ["c"])[0]
    ['a', 'b', 'c']
    """
    if not len(reference) or not len(current):
        raise InvalidInputError(
            f"Categories need at least one value on each side; found {len(reference)} and "
            f"{len(current)}."
        )
    before, after = Counter(reference), Counter(current)
    names = sorted(before.keys() | after.keys(), key=lambda name: (str(name), str(type(name))))
    counts = PairedCounts(
        np.array([before[name] for name in names], dtype=np.int64),
        np.array([after[name] for name in names], dtype=np.int64),
    )
    return names, counts


def histogram_counts(reference: SampleLike, current: SampleLike) -> PairedCounts:
    """Count two numeric samples on common cells, as Evidently does.

    With more than 20 distinct values in the reference: bins of equal width over both samples
    together, their number by Sturges' rule. With 20 or fewer: one cell per distinct value of
    either sample. Every value falls in a cell. Sizes may differ.

    Missing values: refused; remove them first.

    Args:
        reference: shape ``(n_reference,)``; decides which kind of cell is used.
        current: shape ``(n_current,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite, or its values lie too close together
            or too far apart for bins in float64.

    References:
        H. A. Sturges, "The choice of a class interval", JASA 21 (1926).

    >>> histogram_counts([1, 1, 2], [2, 3]).current.tolist()
    [0, 1, 1]
    """
    before, after = finite_sample(reference, "reference"), finite_sample(current, "current")
    if has_more_distinct(before, MOST_SINGLE_VALUES) and (pair := cells_of(reference, current)):
        edges = _sturges_edges(before, after, before.size + after.size)
        return PairedCounts(_counts_in(edges, pair.x), _counts_in(edges, pair.y))
    before, after = sorted_sample(reference, "reference"), sorted_sample(current, "current")
    distinct = distinct_of_sorted(before)
    if distinct.size > MOST_SINGLE_VALUES:
        edges = _sturges_edges(before, after, before.size + after.size)
        return PairedCounts(_counts_between(edges, before), _counts_between(edges, after))
    values = np.union1d(distinct, distinct_of_sorted(after))
    return PairedCounts(_counts_of(values, before), _counts_of(values, after))


def distinct_histogram_counts(reference: SampleLike, current: SampleLike) -> PairedCounts:
    """Count two numeric samples in bins of equal width, as Evidently does for Hellinger's distance.

    The number of bins is that of Sturges' rule for the distinct values of both together, so ties
    make them fewer. Equal constants: one bin. Every value falls in a bin. Symmetric; sizes may
    differ.

    Missing values: refused; remove them first.

    Args:
        reference: shape ``(n_reference,)``.
        current: shape ``(n_current,)``.

    Raises:
        InvalidInputError: as by `histogram_counts`.

    >>> distinct_histogram_counts([0, 0, 0, 3], [3]).reference.tolist()
    [3, 1]
    """
    before, after = sorted_sample(reference, "reference"), sorted_sample(current, "current")
    n_distinct = np.union1d(distinct_of_sorted(before), distinct_of_sorted(after)).size
    edges = _sturges_edges(before, after, n_distinct)
    return PairedCounts(_counts_between(edges, before), _counts_between(edges, after))


def distinct_of_sorted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each distinct value of a sorted sample once, in order.

    >>> distinct_of_sorted(np.array([1.0, 1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    is_first = np.append(True, values[1:] != values[:-1])
    distinct: NDArray[np.float64] = values[is_first]
    return distinct


def has_more_distinct(values: NDArray[Any], most: int) -> bool:
    """Return whether there are surely more than ``most`` distinct values, by the first 1,000.

    >>> has_more_distinct(np.arange(9.0), 8)
    True
    """
    return np.unique(values[:N_LOOKED_AT]).size > most


def _counts_in(edges: NDArray[np.float64], sample: CellSample) -> NDArray[np.int64]:
    """Count the values of a sample per bin, as `_counts_between` does."""
    below = counts_below(sample, edges)
    below[-1] = sample.values.size
    return np.diff(below)


def _counts_between(edges: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count sorted values per bin; only the last bin holds its right edge, as in numpy."""
    below = np.searchsorted(values, edges, side="left")
    below[-1] = values.size
    return np.diff(below)


def _counts_of(distinct: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count sorted values by each of ``distinct``, which holds them all."""
    return np.diff(np.searchsorted(values, distinct, side="right"), prepend=0)


def _sturges_edges(
    before: NDArray[np.float64], after: NDArray[np.float64], n_values: int
) -> NDArray[np.float64]:
    """Return numpy's edges of ``sturges`` for ``n_values`` over the range of both."""
    low, high = min(before.min(), after.min()), max(before.max(), after.max())
    width = (high - low) / (np.log2(n_values) + 1.0)
    n_bins = int(np.ceil((high - low) / width)) if width else 1
    try:
        return np.histogram_bin_edges(np.array([low, high]), bins=n_bins)
    except ValueError as error:
        raise InvalidInputError(
            f"Values from {low:g} to {high:g} cannot be put into bins of equal "
            f"width in float64 ({error}); rescale the column or use a test without bins."
        ) from error


def without_zeros(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``shares`` with a small number in place of each zero, as Evidently does.

    The number is 0.0001, or a millionth of the smallest share that is not zero if that share is
    0.0001 or less. The sum then exceeds 1 a little.

    >>> without_zeros(np.array([0.0, 1.0])).tolist()
    [0.0001, 1.0]
    """
    smallest = float(shares[shares > 0].min())
    return np.where(shares == 0, smallest / 1e6 if smallest <= SMALL_SHARE else SMALL_SHARE, shares)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
