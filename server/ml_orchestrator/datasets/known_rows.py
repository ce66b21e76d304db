"""Which rows can be learnt from, or be judged by, and how that is said."""

from collections.abc import Sequence

import polars as pl

__all__ = ["has_value", "left_out"]


def has_value(target: pl.Series) -> pl.Series:
    """Return for each row whether a target is there: neither missing nor infinite."""
    is_known = target.is_not_null()
    if target.dtype.is_float():
        is_known &= target.is_finite().fill_null(False)
    return is_known


def left_out(n_rows: int, columns: Sequence[str], *, of: str = "training") -> list[str]:
    """Return the sentence on rows that lack a value in one of the columns; none for no row.

    Args:
        n_rows: how many they are.
        columns: any of which is not there.
        of: what they are no part of.
    """
    named = " or ".join(map(repr, columns))
    return [f"{n_rows:,} rows without {named} are left out of {of}."] if n_rows else []
