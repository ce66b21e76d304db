"""What a data set holds, what is wrong with it and what it could be used for."""

from collections.abc import Sequence
from difflib import get_close_matches

import polars as pl

from ml_orchestrator.datasets.columns import frequencies, profile_column
from ml_orchestrator.datasets.kinds import suggest_metric, suggest_task
from ml_orchestrator.datasets.leakage import find_leakage
from ml_orchestrator.datasets.models import ColumnProfile, DatasetProfile, LeakageSuspect, Task
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError

__all__ = ["check_column", "profile_dataset"]

MANY_MISSING = 0.3
MANY_OUTLIERS = 0.05
RARE_CLASS = 0.05
FEW_ROWS = 100
MAX_CLASSES_LISTED = 50


def profile_dataset(dataset: Dataset, target: str | None) -> DatasetProfile:
    """Return the profile of a data set, with the target's if one is given or known.

    Raises:
        InvalidInputError: no column is called ``target``; the message names the closest.
    """
    frame = dataset.frame
    target = target if target is not None else dataset.default_target
    columns = tuple(profile_column(column) for column in frame.get_columns())
    about_target = _about_target(frame, target) if target is not None else {}
    profile = DatasetProfile(
        source=dataset.source,
        description=dataset.description,
        digest=dataset.digest,
        n_rows=frame.height,
        n_columns=frame.width,
        duplicate_rows=_duplicate_rows(frame),
        columns=columns,
        constant_columns=tuple(c.name for c in columns if c.is_constant),
        empty_columns=tuple(c.name for c in columns if c.kind == "empty"),
        id_like_columns=tuple(c.name for c in columns if c.is_id_like and c.name != target),
        target=target,
        **about_target,
    )
    return profile.model_copy(update={"warnings": tuple(_warnings(profile))})


def check_column(frame: pl.DataFrame, name: str, role: str) -> None:
    """Raise InvalidInputError unless ``frame`` has the column; ``role`` says what it is for."""
    if name in frame.columns:
        return
    close = get_close_matches(name, frame.columns, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(frame.columns[:50])
    raise InvalidInputError(f"No column {name!r} to use as {role}.{hint} Columns: {known}.")


def _about_target(frame: pl.DataFrame, target: str) -> dict[str, object]:
    check_column(frame, target, "target")
    values = frame[target].drop_nulls()
    if values.is_empty() or values.dtype.is_nested() or values.dtype == pl.Binary:
        return {}
    task = suggest_task(values)
    return {
        "suggested_task": task,
        "suggested_metric": suggest_metric(task, values.n_unique()),
        "target_balance": _balance(values) if task == "classification" else {},
        "leakage_suspects": find_leakage(frame, target, task),
    }


def _balance(values: pl.Series) -> dict[str, float]:
    rows = frequencies(values).head(MAX_CLASSES_LISTED).iter_rows()
    return {str(value): count / len(values) for value, count in rows}


def _duplicate_rows(frame: pl.DataFrame) -> int:
    plain = [column for column in frame.get_columns() if not column.dtype.is_nested()]
    return frame.height - pl.DataFrame(plain).n_unique() if plain else 0


def _warnings(profile: DatasetProfile) -> list[str]:
    return [
        *_table_warnings(profile),
        *(text for column in profile.columns for text in _column_warnings(column)),
        *_target_warnings(profile.suggested_task, profile.target_balance),
        *_leakage_warnings(profile.leakage_suspects),
    ]


def _table_warnings(profile: DatasetProfile) -> list[str]:
    found = []
    if profile.n_rows < FEW_ROWS:
        found.append(f"Only {profile.n_rows} rows: every estimate will be rough.")
    if profile.duplicate_rows:
        found.append(
            f"{profile.duplicate_rows:,} rows repeat earlier ones; a random split may put the "
            "same row on both sides."
        )
    return found


def _column_warnings(column: ColumnProfile) -> list[str]:
    name, found = column.name, []
    if column.kind == "empty":
        return [f"{name!r} has no values; training drops it."]
    if column.kind == "unsupported":
        return [f"{name!r} is {column.dtype}, which training cannot use; it is dropped."]
    if column.is_constant:
        found.append(f"{name!r} has one value only; it explains nothing.")
    if column.is_id_like:
        found.append(f"{name!r} only numbers or names the rows; leave it out.")
    if column.missing_share >= MANY_MISSING:
        found.append(f"{name!r} is missing in {column.missing_share:.0%} of the rows.")
    if column.outlier_share is not None and column.outlier_share >= MANY_OUTLIERS:
        found.append(f"{column.outlier_share:.0%} of {name!r} are outliers by Tukey's fences.")
    return found


def _target_warnings(task: Task | None, balance: dict[str, float]) -> list[str]:
    if task != "classification" or not balance:
        return []
    if len(balance) == 1:
        return ["The target has one class only; there is nothing to learn."]
    rarest = min(balance, key=lambda value: balance[value])
    if balance[rarest] >= RARE_CLASS:
        return []
    return [f"Class {rarest!r} is rare ({balance[rarest]:.1%}); accuracy would mislead."]


def _leakage_warnings(suspects: Sequence[LeakageSuspect]) -> list[str]:
    return [f"{s.column!r} may leak the target. {s.evidence}" for s in suspects]
