"""Columns that a comparison of data leaves out: ids, dates, and what a model never saw."""

from collections.abc import Collection

import polars as pl

from ml_orchestrator.datasets.row_numbers import numbers_or_names_rows

__all__ = [
    "id_like_columns",
    "not_compared",
    "not_learnt_from",
    "time_columns",
    "why_not_compared",
]


def id_like_columns(frame: pl.DataFrame) -> frozenset[str]:
    """Return the columns of a normalised frame that only number or name its rows."""
    columns = frame.get_columns()
    return frozenset(column.name for column in columns if numbers_or_names_rows(column))


def time_columns(frame: pl.DataFrame) -> frozenset[str]:
    """Return the columns of a normalised frame that hold dates or times."""
    return frozenset(name for name, dtype in frame.schema.items() if dtype.is_temporal())


def not_compared(names: Collection[str], times: Collection[str]) -> tuple[str, ...]:
    """Return the notice that columns are left out of a comparison; none without any.

    Args:
        names: columns that are left out.
        times: columns that hold dates or times; the others that are left out are ids.
    """
    why = why_not_compared(names, times)
    return tuple(f"{each} Named in columns, it is compared." for each in why)


def why_not_compared(names: Collection[str], times: Collection[str]) -> tuple[str, ...]:
    """Return `not_compared` without the advice, for who cannot name columns."""
    ids = [name for name in names if name not in times]
    dates = [name for name in names if name in times]
    told = [
        f"{_listed(ids)}, which only numbers or names rows" if ids else "",
        f"{_listed(dates)}, which holds dates or times" if dates else "",
    ]
    parts = ", and ".join(filter(None, told))
    end = "so that other rows differ in it though nothing changed"
    return (f"Not compared: {parts}, {end}.",) if parts else ()


def not_learnt_from(names: Collection[str], model: str) -> tuple[str, ...]:
    """Return the sentence that columns are left out since the model never saw them."""
    if not names:
        return ()
    return (
        f"Not compared: {_listed(names)}, which the training of {model} ignored (column_types). "
        "Named in columns, it is compared.",
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(repr, sorted(names)))
