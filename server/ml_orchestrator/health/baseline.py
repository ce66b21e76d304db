"""A reference sample that was prepared once: sorted, counted, and small enough to be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import Sample
from ml_orchestrator.health.schema_changes import is_empty

__all__ = ["MOST_ROWS_KEPT", "Baseline", "prepare_baseline"]

MOST_ROWS_KEPT = 20_000
Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a reference is compared by, made ready.

    Attributes:
        source: where the reference came from, for people.
        n_rows: rows that it had.
        samples: each column whole, without its missing values, numbers sorted. `check_drift` takes
            this mapping as its reference and then neither reads nor sorts it.
        rows: column name to array of shape ``(n_kept,)``: at most 20,000 rows, drawn once, for
            tests that look at columns together.
        facts: what else is known of the data, as JSON; the checks of data quality read it.
    """

    source: str
    n_rows: int
    samples: Mapping[str, Sample]
    rows: Table
    facts: Mapping[str, Any]


def prepare_baseline(
    table: Table, *, source: str, facts: Mapping[str, Any] | None = None, seed: int = 0
) -> Baseline:
    """Return a table as a baseline.

    Columns without any value are left out: nothing can be compared with them.

    Args:
        table: column name to array of shape ``(n_rows,)``, as for `check_drift`.
        source: where it came from.
        facts: anything that JSON can hold.
        seed: of the rows that are kept.

    Raises:
        InvalidInputError: columns differ in length, none has a value, or one cannot be read.
    """
    sizes = {name: array.shape[0] for name, array in table.items()}
    if len(set(sizes.values())) != 1:
        raise InvalidInputError(
            f"A baseline needs columns of one length; found {sizes or 'no column'}."
        )
    n_rows = next(iter(sizes.values()))
    samples = {
        name: Sample.read(name, "reference", array).in_order()
        for name, array in table.items()
        if not is_empty(array)
    }
    if not samples:
        raise InvalidInputError(f"{source!r} has no column with a value; a baseline needs one.")
    kept: NDArray[np.intp] | slice = slice(None)
    if n_rows > MOST_ROWS_KEPT:
        kept = np.sort(np.random.default_rng(seed).choice(n_rows, MOST_ROWS_KEPT, replace=False))
    rows = {name: table[name][kept] for name in samples}
    return Baseline(source, n_rows, samples, rows, dict(facts or {}))
