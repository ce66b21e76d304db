"""Which test fits which column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Columns, Measurement, Sample
from ml_orchestrator.health.drift.texts import reads_as_text
from ml_orchestrator.health.text_models import Aspect
from ml_orchestrator.numerics.binning import distinct_of_sorted, has_more_distinct
from ml_orchestrator.numerics.divisions import MANY_DRAWS
from ml_orchestrator.numerics.mmd import LEAST_P as LEAST_P_OF_VECTORS

__all__ = ["LEAST_P", "Pair", "chance_test", "choose_test", "measure"]

LARGEST_SMALL_REFERENCE = 1_000
MOST_DISCRETE_VALUES = 5
MOST_VALUES_AS_CATEGORIES = 20
LEAST_P: Mapping[str, float] = {
    "text": len(get_args(Aspect)) / (MANY_DRAWS + 1),  # by divisions, times the aspects
    "mmd": LEAST_P_OF_VECTORS,
}  # of the tests that permute rows themselves: what they reach


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of one column, of one kind."""

    reference: Sample
    current: Sample

    @classmethod
    def read(cls, column: str, reference: Columns, current: Columns) -> "Pair":
        """Take a column from both tables.

        Raises:
            InvalidInputError: a side has no usable value, or the sides differ in kind.
        """
        before = Sample.read(column, "reference", reference[column])
        after = Sample.read(column, "current", current[column])
        if before.kind != after.kind:
            raise InvalidInputError(
                f"Column {column!r} is {before.kind} in the reference and {after.kind} in the "
                "current sample; give both in one type, files by column_types."
            )
        if before.kind == "vectors" and before.values.shape[1] != after.values.shape[1]:
            raise InvalidInputError(
                f"Vectors of column {column!r} have {before.values.shape[1]} numbers in the "
                f"reference and {after.values.shape[1]} in the current sample; give both by one "
                "model."
            )
        return cls(before, after)

    @property
    def n_distinct(self) -> int:
        """Distinct values of both sides together, vectors counted as they stand."""
        if self.reference.kind == "vectors":
            return self.reference.n_values + self.current.n_values
        if self.reference.kind == "numeric":
            sides = (distinct_of_sorted(s.values) for s in (self.reference, self.current))
            return int(np.union1d(*sides).size)
        return len({*self.reference.values.tolist(), *self.current.values.tolist()})

    @property
    def is_discrete(self) -> bool:
        """Whether it holds categories, or numbers of at most five distinct values."""
        if self.reference.kind == "categorical":
            return True
        surely_more = has_more_distinct(self.reference.given, MOST_DISCRETE_VALUES)
        return not surely_more and self.n_distinct <= MOST_DISCRETE_VALUES

    def as_categories(self) -> "Pair":
        """Return the same values, each distinct one a category."""
        return Pair(self.reference.as_categories(), self.current.as_categories())


def chance_test(pair: Pair) -> str:
    """Return the test of all values that gives numbers or categories a p value."""
    return "chi_square" if pair.is_discrete else "ks"


def choose_test(pair: Pair) -> str:
    """Return the name of the test that suits a column, by Evidently's rule.

    Vectors are for the kernel test, and free text (`reads_as_text`) for that of texts. With at
    most 1,000 reference values a p value: Kolmogorov-Smirnov for numbers, chi-square for
    categories. With more, where p values see differences too small to matter, a distance:
    Wasserstein for numbers, Jensen-Shannon for categories. A numeric column of at most five
    distinct values counts as categories. One departure: chi-square is the test of homogeneity,
    which keeps the nominal rate of false alarms.
    """
    if pair.reference.kind == "vectors":
        return "mmd"
    if pair.reference.kind == "categorical" and reads_as_text(pair.reference.values.tolist()):
        return "text"
    if pair.reference.n_values <= LARGEST_SMALL_REFERENCE:
        return chance_test(pair)
    return "jensen_shannon" if pair.is_discrete else "wasserstein"


def measure(pair: Pair, name: str) -> Measurement:
    """Return what the test named ``name`` measures between the two sides.

    A numeric column of at most 20 distinct values may be given to a test for categories.

    Raises:
        NotFoundError: no such test.
        InvalidInputError: the test does not take this kind of column.
    """
    test, kind = DRIFT_TESTS[name], pair.reference.kind
    if kind not in test.kinds and kind == "numeric" and "categorical" in test.kinds:
        pair = pair.as_categories() if pair.n_distinct <= MOST_VALUES_AS_CATEGORIES else pair
    if pair.reference.kind in test.kinds:
        with DRIFT_TESTS.calling(name):
            return test.compare(pair.reference, pair.current)
    fitting = ", ".join(known for known, entry in DRIFT_TESTS.items() if kind in entry.kinds)
    raise InvalidInputError(
        f"Drift test {name!r} takes {' and '.join(sorted(test.kinds))} columns; "
        f"{pair.reference.column!r} is {kind} with {pair.n_distinct} distinct values. "
        f"Tests that fit: {fitting}."
    )
