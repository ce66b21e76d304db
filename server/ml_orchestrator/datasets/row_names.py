"""Columns that a comparison of data leaves out: they number or name rows, or no model uses them."""

from collections.abc import Collection

import polars as pl

from ml_orchestrator.datasets.row_numbers import numbers_or_names_rows

__all__ = ["id_like_columns", "not_compared", "not_learnt_from"]


def id_like_columns(frame: pl.DataFrame) -> frozenset[str]:
    """Return the columns of a normalised frame that only number or name its rows."""
    columns = frame.get_columns()
    return frozenset(column.name for column in columns if numbers_or_names_rows(column))


def not_compared(names: Collection[str]) -> tuple[str, ...]:
    """Return the sentence that such columns are left out of a comparison; none without any."""
    if not names:
        return ()
    listed = ", ".join(map(repr, sorted(names)))
    return (
        f"Not compared: {listed}, which only numbers or names rows, so that other rows always "
        "differ in it. Named in columns, it is compared.",
    )


def not_learnt_from(names: Collection[str], model: str) -> tuple[str, ...]:
    """Return the sentence that columns are left out since the model never saw them."""
    if not names:
        return ()
    listed = ", ".join(map(repr, sorted(names)))
    return (
        f"Not compared: {listed}, which the training of {model} ignored (column_types). Named in "
        "columns, it is compared.",
    )
