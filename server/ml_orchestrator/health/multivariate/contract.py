"""What a test of columns together takes, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import is_missing

__all__ = ["TOGETHER_TESTS", "Found", "Rows", "TogetherTest", "read_rows"]

LEAST_ROWS = 20
MOST_ROWS = 20_000
Matrix = NDArray[np.float64]
Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Both samples as numbers; ``columns`` names the column that each feature comes from.

    Shapes ``(n_reference, n_features)`` and ``(n_current, n_features)``, standardised by the mean
    and deviation of both together, without missing values: those are at the mean, and a feature
    of their own says where they were. Categories are features of their own, rare ones together;
    each number of a vector is one.
    """

    reference: Matrix
    current: Matrix
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a test found.

    Attributes:
        statistic: what it measures.
        p_value: from 0 to 1.
        importances: of columns beyond chance; empty where it has none.
        most_rows: rows of a side that it looks at, at most.
    """

    statistic: float
    p_value: float
    importances: Mapping[str, float]
    most_rows: int = MOST_ROWS


class TogetherTest(Protocol):
    """Tests whether two samples come from one joint distribution.

    The p value keeps its level whatever the distribution; the same seed gives the same result.
    """

    def __call__(self, rows: Rows, *, seed: int) -> Found:
        """Return what was found."""
        ...


TOGETHER_TESTS: Catalog[TogetherTest] = Catalog("test of columns together")


def read_rows(
    reference: Table, current: Table, columns: Sequence[str], *, rng: np.random.Generator
) -> Rows:
    """Turn columns of two tables into rows of numbers; of more than 20,000, that many are drawn.

    Raises:
        InvalidInputError: a side has fewer than 20 rows, or no column varies.
    """
    sides = [_drawn(table, columns, rng, side) for side, table in _named(reference, current)]
    features: list[Matrix] = []
    names: list[str] = []
    for name in columns:
        for feature in _features(np.concatenate([side[name] for side in sides])):
            spread = feature.std()
            if spread > 0:
                features.append((feature - feature.mean()) / spread)
                names.append(name)
    if not features:
        raise InvalidInputError("No column varies, so there is nothing to compare together.")
    both = np.column_stack(features)
    n_reference = len(sides[0][columns[0]])
    return Rows(both[:n_reference], both[n_reference:], tuple(names))


def _named(reference: Table, current: Table) -> tuple[tuple[str, Table], ...]:
    return (("reference", reference), ("current", current))


def _drawn(
    table: Table, columns: Sequence[str], rng: np.random.Generator, side: str
) -> dict[str, NDArray[Any]]:
    n_rows = len(table[columns[0]])
    if any(len(table[name]) != n_rows for name in columns):
        raise InvalidInputError(f"The columns of the {side} sample differ in length.")
    if n_rows < LEAST_ROWS:
        raise InvalidInputError(
            f"The {side} sample has {n_rows} rows; columns are compared together from "
            f"{LEAST_ROWS} on."
        )
    if n_rows <= MOST_ROWS:
        return {name: table[name] for name in columns}
    kept = rng.choice(n_rows, MOST_ROWS, replace=False)
    return {name: table[name][kept] for name in columns}


def _features(values: NDArray[Any]) -> list[Matrix]:
    if values.dtype.kind not in "iuf":
        return _category_features(values)
    numbers = values.astype(np.float64)
    rows = numbers if numbers.ndim == 2 else numbers[:, None]
    is_missing = ~np.isfinite(rows).all(axis=1)
    if is_missing.all():
        return []
    rows[is_missing] = rows[~is_missing].mean(axis=0)
    return [*rows.T, is_missing.astype(np.float64)]


def _category_features(values: NDArray[Any]) -> list[Matrix]:
    """One feature for each of the 20 most frequent categories, one for missing values."""
    texts = np.array(["" if is_missing(value) else f"={value}" for value in values.tolist()])
    names, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    kept = [i for i in np.argsort(-counts, kind="stable")[:20] if names[i]]
    features = [(codes == i).astype(np.float64) for i in kept]
    return [*features, (texts == "").astype(np.float64)]
