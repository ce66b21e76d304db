"""What one column holds."""

import math
from typing import Any

import polars as pl

from ml_orchestrator.datasets.kinds import column_kind
from ml_orchestrator.datasets.models import CategoryCount, ColumnKind, ColumnProfile
from ml_orchestrator.datasets.row_numbers import numbers_or_names_rows
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import near

__all__ = ["check_column", "check_named", "frequencies", "profile_column"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_TOP = 10
MAX_VALUE_CHARS = 100


def check_column(frame: pl.DataFrame, name: str, role: str) -> None:
    """Raise InvalidInputError unless ``frame`` has the column; ``role`` says what it is for."""
    check_named(frame, name, f"use as {role}")


def check_named(frame: pl.DataFrame, name: str, purpose: str) -> None:
    """Raise InvalidInputError unless ``frame`` has the column; ``purpose`` is a verb and more."""
    if name in frame.columns:
        return
    known = ", ".join(frame.columns[:50])
    raise InvalidInputError(
        f"No column {name!r} to {purpose}{near(name, frame.columns)}. Columns: {known}."
    )


def profile_column(column: pl.Series) -> ColumnProfile:
    """Return the profile of a normalised column of at least one row."""
    kind = column_kind(column)
    values = column.drop_nulls()
    n_unique = values.n_unique() if kind != "unsupported" else 0
    return ColumnProfile(
        name=column.name,
        dtype=str(column.dtype),
        kind=kind,
        missing_share=column.null_count() / len(column),
        n_unique=n_unique,
        is_constant=n_unique == 1,
        is_id_like=numbers_or_names_rows(column),
        **_numbers(values, kind),
    )


def frequencies(values: pl.Series) -> pl.DataFrame:
    """Return the distinct values and how often each occurs, as ``value`` and ``count``.

    Most frequent first, equally frequent ones in their own order.
    """
    counts = values.alias("value").value_counts(name="count")
    return counts.sort(["count", "value"], descending=[True, False])


def _numbers(values: pl.Series, kind: ColumnKind) -> dict[str, Any]:
    if kind == "numeric":
        return _numeric(values.cast(pl.Float64))
    if kind == "temporal":
        return {"minimum": values.min().isoformat(), "maximum": values.max().isoformat()}  # type: ignore[union-attr]
    if kind == "boolean":
        return {"mean": values.mean(), "top": _top(values)}
    return {"top": _top(values)} if kind in ("categorical", "text") else {}


def _numeric(values: pl.Series) -> dict[str, Any]:
    finite = values.filter(values.is_finite())
    if finite.is_empty():
        return {}
    quantiles = {str(q): finite.quantile(q, "linear") for q in QUANTILES}
    return {
        "minimum": finite.min(),
        "maximum": finite.max(),
        "mean": _number(finite.mean()),
        "std": _number(finite.std()),
        "quantiles": quantiles,
        "skew": _number(finite.skew()) if finite.n_unique() > 1 else None,
        "outlier_share": _outlier_share(finite) if finite.n_unique() > 2 else None,
    }


def _number(value: Any) -> float | None:
    """Return nothing for a value that overflowed or is not defined."""
    return float(value) if value is not None and math.isfinite(value) else None


def _outlier_share(values: pl.Series) -> float:
    low, high = values.quantile(0.25, "linear"), values.quantile(0.75, "linear")
    if low is None or high is None:
        return 0.0
    reach = 1.5 * (high - low)
    is_outlier = (values < low - reach) | (values > high + reach)
    return float(is_outlier.sum()) / len(values)


def _top(values: pl.Series) -> tuple[CategoryCount, ...]:
    return tuple(
        CategoryCount(
            value=str(value)[:MAX_VALUE_CHARS], count=count, share=min(1.0, count / len(values))
        )
        for value, count in frequencies(values).head(N_TOP).iter_rows()
    )
