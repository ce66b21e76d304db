"""Whether an exported model says the same as its pipeline, also of rows that are hard to take."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_orchestrator.compression.models import Equality
from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["TOLERANCE", "awkward_rows", "compared", "require_equal"]

TOLERANCE = 1e-5
N_BASE = 8  # rows that each kind of awkwardness is done to
MOST_COLUMNS = 60  # that are made awkward one by one
UNSEEN = "never seen before"
HUGE = 1e6  # times the largest value


def awkward_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with missing values, unseen categories and extreme numbers, made of others.

    For up to 60 columns: the column missing, and unseen or far outside. Then all missing at once.
    """
    base = rows.head(N_BASE)
    made = []
    for name in list(rows.columns)[:MOST_COLUMNS]:
        made.append(_with(base, name, None))
        strange = _strange(rows[name])
        made += [_with(base, name, value) for value in strange]
    nothing = base
    for name in rows.columns:
        nothing = _with(nothing, name, None)
    return pd.concat([*made, nothing], ignore_index=True)


def compared(
    original: Any, exported: Any, rows: pd.DataFrame, *, tolerance: float = TOLERANCE
) -> Equality:
    """Return how the answers to ``rows`` and to awkward ones made of them differ.

    Probabilities are compared as they are, values relative to their size or their spread,
    whichever is larger. Another class counts unless the two are tied within the tolerance.
    """
    hard = awkward_rows(rows)
    largest, n_other = 0.0, 0
    for part in (rows, hard):
        apart, others = _apart(original, exported, part, tolerance)
        largest, n_other = max(largest, apart), n_other + others
    return Equality(
        n_rows=len(rows) + len(hard),
        n_awkward=len(hard),
        largest_difference=largest,
        n_other_classes=n_other,
        tolerance=tolerance,
    )


def require_equal(found: Equality) -> None:
    """Return if the two say the same.

    Raises:
        IntegrityViolationError: they do not; the message says by how much.
    """
    if found.largest_difference > found.tolerance or found.n_other_classes:
        raise IntegrityViolationError(
            f"The exported model differs from the pipeline by {found.largest_difference:.2g} "
            f"(allowed {found.tolerance:g}) and gives {found.n_other_classes} of {found.n_rows} "
            "rows another class; it is not kept. Trees on waves of dates (linear_boosting) can "
            "split between numbers that differ in their last bit; otherwise report its steps."
        )


def _apart(original: Any, exported: Any, rows: pd.DataFrame, tolerance: float) -> tuple[float, int]:
    if not hasattr(original, "predict_proba"):
        wanted, given = np.asarray(original.predict(rows)), np.asarray(exported.predict(rows))
        size = np.maximum(np.abs(wanted), np.std(wanted))
        return _largest(np.abs(wanted - given) / np.where(size > 0, size, 1.0)), 0
    wanted, given = original.predict_proba(rows), exported.predict_proba(rows)
    is_other = np.asarray(original.predict(rows)) != np.asarray(exported.predict(rows))
    is_tied = _lead(original, wanted) <= 2 * tolerance
    return _largest(np.abs(wanted - given)), int((is_other & ~is_tied).sum())


def _lead(model: Any, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the predicted class is ahead."""
    threshold = getattr(model, "threshold", None)
    if threshold is not None:
        lead: NDArray[np.float64] = np.abs(shares[:, 1] - threshold)
        return lead
    ordered = np.sort(shares, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float64)


def _largest(apart: NDArray[np.float64]) -> float:
    """Return the largest, or infinity where an answer is no number."""
    return float(apart.max()) if np.isfinite(apart).all() else float("inf")


def _strange(column: "pd.Series[Any]") -> list[Any]:
    if pd.api.types.is_bool_dtype(column.dtype):
        return []
    if pd.api.types.is_numeric_dtype(column.dtype):
        most = float(np.nanmax(np.abs(column.to_numpy(dtype=float, na_value=np.nan)), initial=1.0))
        return [HUGE * most, -HUGE * most, 0.0]
    known = column.dropna()
    if len(known) and isinstance(known.iloc[0], str):
        return [UNSEEN, ""]
    return []


def _with(rows: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    """Return the rows with one column set, as a caller would send them."""
    column = rows[name]
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(
        column.dtype
    )
    if is_number:
        new: Any = pd.Series(np.nan if value is None else value, index=rows.index, dtype=float)
    elif value is None and pd.api.types.is_datetime64_any_dtype(column.dtype):
        new = pd.Series(pd.NaT, index=rows.index, dtype=column.dtype)
    else:
        new = pd.Series([value] * len(rows), index=rows.index, dtype=object)
    return rows.assign(**{name: new})
