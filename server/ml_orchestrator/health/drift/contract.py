"""What a drift test is given, gives back and promises."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.models import ColumnKind, Measure
from ml_orchestrator.health.text_models import TextDrift
from ml_orchestrator.numerics.binning import PairedCounts, category_counts, histogram_counts
from ml_orchestrator.numerics.cells import LEAST_VALUES
from ml_orchestrator.numerics.samples import FiniteSample, SortedSample

__all__ = [
    "DRIFT_TESTS",
    "Columns",
    "DriftTest",
    "Measurement",
    "Sample",
    "drift_test",
    "is_missing",
    "paired_counts",
    "rough_if_below_five",
]

SMALLEST_SOUND_COUNT = 5
LARGEST_NUMBER = 1e150  # its square is still a number

Side = Literal["reference", "current"]
Columns: TypeAlias = "Mapping[str, NDArray[Any] | Sample]"


@dataclass(frozen=True)
class Sample:
    """One side of one column without its missing values; never empty.

    Attributes:
        column: its name.
        kind: how it is read.
        given: what is there, shape ``(n,)``: finite numbers for a numeric column, objects for a
            categorical one; of vectors ``(n, n_dimensions)``, float64 and finite.
        n_rows: rows, the missing ones too.
        is_sorted: whether ``given`` of a numeric column is float64 in ascending order.
    """

    column: str
    kind: ColumnKind
    given: NDArray[Any]
    n_rows: int
    is_sorted: bool = True

    @classmethod
    def read(cls, column: str, side: Side, array: "NDArray[Any] | Sample") -> "Sample":
        """Take a column as it comes from a table; one that was taken before stays as it is.

        Integers and floats are numeric, or vectors where the array has two dimensions; everything
        else is categorical. None, NaN and infinities are missing, and make a vector missing.

        Raises:
            InvalidInputError: the array has another shape, holds values that cannot be
                categories or numbers beyond 1e150, or nothing is left of it; the message names
                the column and the side.
        """
        if isinstance(array, Sample):
            return array
        if array.ndim == 2 and array.dtype.kind in "iuf":
            return cls(column, "vectors", _vectors(array, column, side), len(array))
        if array.ndim != 1:
            raise InvalidInputError(
                f"Column {column!r} of the {side} sample must be one-dimensional; found shape "
                f"{array.shape}."
            )
        kind: ColumnKind = "numeric" if array.dtype.kind in "iuf" else "categorical"
        read = _numbers if kind == "numeric" else _present
        values = read(array, column, side)
        if values.size == 0:
            raise _nothing_left(column, side, array.size)
        found = cls(column, kind, values, array.size, is_sorted=kind != "numeric")
        return found.in_order() if values.size < LEAST_VALUES else found

    @cached_property
    def values(self) -> NDArray[Any]:
        """What is there, shape ``(n,)``; float64 in ascending order for a numeric column.

        Sorted when it is first asked for.
        """
        return self.given if self.is_sorted else np.sort(self.given).astype(np.float64, copy=False)

    def in_order(self) -> "Sample":
        """Return the same, sorted now: for a sample that is compared more than once."""
        return Sample(self.column, self.kind, self.values, self.n_rows)

    def as_categories(self) -> "Sample":
        """Return the same values, each distinct one a category."""
        return Sample(self.column, "categorical", self.values.astype(object), self.n_rows)

    @property
    def size(self) -> int:
        """Rows, the missing ones too; as of an array."""
        return self.n_rows

    @property
    def n_values(self) -> int:
        """Rows with a value."""
        return len(self.given)

    @property
    def numbers(self) -> SortedSample | FiniteSample:
        """The values of a numeric column for kernels; sorted ones only where they are already."""
        if self.is_sorted or "values" in self.__dict__:
            return SortedSample(self.values)
        return FiniteSample(np.asarray(self.given, dtype=np.float64))

    @property
    def missing_share(self) -> float:
        """Share of rows without a usable value."""
        return (self.n_rows - self.n_values) / self.n_rows


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a test measured; ``p_value`` is None when the test gives a distance only.

    ``text`` is what a test of texts found beside that.
    """

    statistic: float
    p_value: float | None = None
    note: str | None = None
    text: TextDrift | None = None


class Compare(Protocol):
    """Measures how far apart two samples of one column are.

    The order of the rows does not matter, neither sample is changed, and the same input gives
    the same result. Equal samples give statistic 0 within rounding and, if any, p value 1.
    """

    def __call__(self, reference: Sample, current: Sample) -> Measurement:
        """Return the measurement of two samples of a kind that the test takes."""
        ...


@dataclass(frozen=True, slots=True)
class DriftTest:
    """A way to measure drift, with what a caller must know to use it.

    With ``measure="p_value"`` a column drifts when its adjusted p value is at or below the
    threshold, with ``"distance"`` when the statistic is at or above it.
    """

    compare: Compare
    kinds: frozenset[ColumnKind]
    measure: Measure
    threshold: float
    is_symmetric: bool


DRIFT_TESTS: Catalog[DriftTest] = Catalog(
    "drift test",
    extended_by="drift_tests",
    must_have=("compare", "kinds", "measure", "threshold", "is_symmetric"),
)


def drift_test(
    *, kinds: Iterable[ColumnKind], measure: Measure, threshold: float, is_symmetric: bool
) -> Callable[[Compare], DriftTest]:
    """Return a decorator that makes a drift test of a comparing function."""

    def build(compare: Compare) -> DriftTest:
        return DriftTest(compare, frozenset(kinds), measure, threshold, is_symmetric)

    return build


def paired_counts(reference: Sample, current: Sample) -> PairedCounts:
    """Count two samples on common cells: histogram bins, or categories."""
    if reference.kind == "numeric":
        return histogram_counts(reference.numbers, current.numbers)
    return category_counts(reference.values.tolist(), current.values.tolist())[1]


def rough_if_below_five(smallest_expected: float) -> str | None:
    """Return a note on a p value that counts too small to be sound give, or None."""
    if smallest_expected >= SMALLEST_SOUND_COUNT:
        return None
    return (
        f"The rarest category was expected {smallest_expected:.2g} times; below "
        f"{SMALLEST_SOUND_COUNT} the p value is rough."
    )


def _numbers(array: NDArray[Any], column: str, side: Side) -> NDArray[Any]:
    """Return the finite ones of a column, which stay where and as they are if all are."""
    is_finite = np.isfinite(array)
    values = array if is_finite.all() else array[is_finite]
    if values.size:
        _check_size(float(values.min()), float(values.max()), column, side)
    return values


def _vectors(array: NDArray[Any], column: str, side: Side) -> NDArray[np.float64]:
    """Return the vectors without a missing number."""
    values = array.astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if not values.size:
        raise _nothing_left(column, side, len(array))
    _check_size(float(values.min()), float(values.max()), column, side)
    return values


def _check_size(smallest: float, largest: float, column: str, side: Side) -> None:
    if max(-smallest, largest) > LARGEST_NUMBER:
        found = largest if largest > -smallest else smallest
        raise InvalidInputError(
            f"Column {column!r} of the {side} sample holds {found:g}; "
            f"numbers must lie within {LARGEST_NUMBER:g} of 0. Rescale the column, or mark such "
            "values as missing."
        )


def _nothing_left(column: str, side: Side, n_rows: int) -> InvalidInputError:
    return InvalidInputError(
        f"Column {column!r} of the {side} sample has no value to compare: all of its "
        f"{n_rows} rows are missing. Leave the column out or give other rows."
    )


def _present(array: NDArray[Any], column: str, side: Side) -> NDArray[np.object_]:
    kept = [value for value in array.tolist() if not is_missing(value)]
    for value in kept:
        if not isinstance(value, Hashable):
            raise InvalidInputError(
                f"Column {column!r} of the {side} sample holds a {type(value).__name__}; "
                "categories must be text, numbers or booleans."
            )
    values = np.empty(len(kept), dtype=object)
    values[:] = kept
    return values


def is_missing(value: object) -> bool:
    """Whether a value of a categorical column counts as missing: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))
