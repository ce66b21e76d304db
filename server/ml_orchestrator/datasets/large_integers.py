"""Whole numbers that 64 bits with a sign do not hold: as labels or as floats."""

import polars as pl

from ml_orchestrator.datasets.key_names import is_named_like_key

__all__ = ["are_labels", "beyond_64_bits"]

LARGEST = 2**63 - 1
MOST_LABELS = 100  # distinct values; classes of a target are no more
LEAST_REPEATED = 2  # rows a value on average, from which few values are labels
_WIDE = (pl.Int128, pl.UInt128, pl.UInt64)


def beyond_64_bits(column: pl.Series) -> bool:
    """Return whether a column holds whole numbers outside of -2**63 to 2**63 - 1."""
    if column.dtype not in _WIDE or column.null_count() == len(column):
        return False
    return int(column.max()) > LARGEST or int(column.min()) < -LARGEST - 1  # type: ignore[arg-type]


def are_labels(column: pl.Series) -> bool:
    """Return whether large whole numbers are names rather than amounts.

    They are if the column is named like a key, if floats would take some of them for one, or if
    at most 100 values come twice or more on average, as classes do.
    """
    values = column.drop_nulls()
    n_unique = values.n_unique()
    are_few = n_unique <= MOST_LABELS and n_unique * LEAST_REPEATED <= len(values)
    return (
        is_named_like_key(column.name) or are_few or values.cast(pl.Float64).n_unique() < n_unique
    )
