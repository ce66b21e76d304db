"""What a data set holds, what is wrong with it and what it could be used for."""

from collections.abc import Collection, Sequence

import polars as pl

from ml_orchestrator.datasets.columns import check_column, frequencies, profile_column
from ml_orchestrator.datasets.kinds import (
    id_like_notice,
    infinite_notice,
    suggest_metric,
    suggest_task,
)
from ml_orchestrator.datasets.known_rows import has_value, left_out
from ml_orchestrator.datasets.leakage import find_leakage, leakage_notice
from ml_orchestrator.datasets.models import ColumnProfile, DatasetProfile, Task
from ml_orchestrator.datasets.number_texts import number_text_notice
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.datasets.split_hints import suggest_split

__all__ = ["duplicate_rows", "profile_dataset"]

MANY_MISSING = 0.3
MANY_OUTLIERS = 0.05
RARE_CLASS = 0.05
FEW_ROWS = 100
MAX_CLASSES_LISTED = 50
MAX_COLUMNS = 100


def profile_dataset(
    dataset: Dataset,
    target: str | None,
    *,
    columns: Sequence[str] | None = None,
    max_columns: int = MAX_COLUMNS,
) -> DatasetProfile:
    """Return the profile of a data set, with the target's if one is given or known.

    Everything is counted, tried and warned of over all columns; only the detailed descriptions
    are limited.

    Args:
        dataset: what to profile.
        target: the column to predict; None takes a built-in's default.
        columns: which columns to describe, however many; None describes the target and the
            first of the others, ``max_columns`` together.
        max_columns: descriptions where ``columns`` is None, at least 1.

    Raises:
        InvalidInputError: no column is called ``target`` or as in ``columns``; the message
            names the closest.
    """
    frame = dataset.frame
    target = target if target is not None else dataset.default_target
    for name in columns or ():
        check_column(frame, name, "a column to describe")
    found = tuple(profile_column(column) for column in frame.get_columns())
    shown = _shown(found, target, max_columns) if columns is None else _named(found, columns)
    about_target = _about_target(frame, target) if target is not None else {}
    hint = suggest_split(frame, target)
    profile = DatasetProfile(
        source=dataset.source,
        description=dataset.description,
        digest=dataset.digest,
        n_rows=frame.height,
        n_columns=frame.width,
        duplicate_rows=duplicate_rows(frame),
        n_columns_shown=len(shown),
        columns=shown,
        constant_columns=tuple(c.name for c in found if c.is_constant),
        empty_columns=tuple(c.name for c in found if c.kind == "empty"),
        id_like_columns=tuple(c.name for c in found if c.is_id_like and c.name != target),
        target=target,
        suggested_split=hint.kind,
        split_column=hint.column,
        split_evidence=hint.evidence,
        group_column=hint.group,
        group_evidence=hint.group_evidence,
        **about_target,
    )
    cut = _cut_warnings(profile) if columns is None else []
    lost = [] if target is None else left_out(frame.height - _n_known(frame[target]), [target])
    told = {column.name: number_text_notice(column) for column in frame.get_columns()}
    as_text = {name: notice for name, notice in told.items() if notice}
    warnings = (
        *dataset.notices,
        *cut,
        *lost,
        *as_text.values(),
        *filter(None, map(infinite_notice, frame.get_columns())),
        *_warnings(profile, found, as_text),
    )
    return profile.model_copy(update={"warnings": warnings})


def _shown(
    found: Sequence[ColumnProfile], target: str | None, max_columns: int
) -> tuple[ColumnProfile, ...]:
    target_first = sorted(found, key=lambda column: column.name != target)
    return _named(found, [column.name for column in target_first[:max_columns]])


def _named(found: Sequence[ColumnProfile], names: Sequence[str]) -> tuple[ColumnProfile, ...]:
    wanted = set(names)
    return tuple(column for column in found if column.name in wanted)


def _cut_warnings(profile: DatasetProfile) -> list[str]:
    if profile.n_columns_shown == profile.n_columns:
        return []
    return [
        f"{profile.n_columns_shown:,} of {profile.n_columns:,} columns are described; to see "
        "others, name them in columns."
    ]


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


def _n_known(target: pl.Series) -> int:
    return int(has_value(target).sum())


def _balance(values: pl.Series) -> dict[str, float]:
    rows = frequencies(values).head(MAX_CLASSES_LISTED).iter_rows()
    return {str(value): count / len(values) for value, count in rows}


def duplicate_rows(frame: pl.DataFrame) -> int:
    """Return how many rows repeat an earlier one in all columns, lists and structures aside."""
    plain = [column for column in frame.get_columns() if not column.dtype.is_nested()]
    return frame.height - pl.DataFrame(plain).n_unique() if plain else 0


def _warnings(
    profile: DatasetProfile, columns: Sequence[ColumnProfile], as_text: Collection[str]
) -> list[str]:
    """Return what to warn of; columns ``as_text`` hold what looks like numbers."""
    told = (
        _column_warnings(column, profile.target, looks_like_numbers=column.name in as_text)
        for column in columns
    )
    return [
        *_table_warnings(profile),
        *(text for texts in told for text in texts),
        *_target_warnings(profile.suggested_task, profile.target_balance),
        *map(leakage_notice, profile.leakage_suspects),
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


def _column_warnings(
    column: ColumnProfile, target: str | None, *, looks_like_numbers: bool
) -> list[str]:
    name, found = column.name, []
    if column.kind == "empty":
        return [f"{name!r} has no values; training drops it."]
    if column.kind == "unsupported":
        return [f"{name!r} is {column.dtype}, which training cannot use; it is dropped."]
    if column.is_constant:
        found.append(f"{name!r} has one value only; it explains nothing.")
    if column.is_id_like and name == target:
        found.append(_names_rows(name))
    elif column.is_id_like and not looks_like_numbers:
        found.append(id_like_notice(name))
    if column.missing_share >= MANY_MISSING:
        found.append(f"{name!r} is missing in {column.missing_share:.0%} of the rows.")
    if column.outlier_share is not None and column.outlier_share >= MANY_OUTLIERS:
        found.append(f"{column.outlier_share:.0%} of {name!r} are outliers by Tukey's fences.")
    return found


def _names_rows(target: str) -> str:
    return (
        f"The target {target!r}, as it is read, only numbers or names the rows; nothing can be "
        "learnt of it so."
    )


def _target_warnings(task: Task | None, balance: dict[str, float]) -> list[str]:
    if task != "classification" or not balance:
        return []
    if len(balance) == 1:
        return ["The target has one class only; there is nothing to learn."]
    rarest = min(balance, key=lambda value: balance[value])
    if balance[rarest] >= RARE_CLASS:
        return []
    return [f"Class {rarest!r} is rare ({balance[rarest]:.1%}); accuracy would mislead."]
