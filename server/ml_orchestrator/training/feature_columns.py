"""Columns that a model learns from: how each is read, and which are left out."""

from dataclasses import replace

import pandas as pd
import polars as pl

from ml_orchestrator.datasets.date_texts import date_text_notice
from ml_orchestrator.datasets.kinds import (
    column_kind,
    id_like_notice,
    names_each_row,
    reads_as_text,
)
from ml_orchestrator.datasets.models import ColumnKind
from ml_orchestrator.datasets.number_texts import number_text_notice
from ml_orchestrator.datasets.row_numbers import numbers_or_names_rows
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.preprocessing import MAX_ONE_HOT, FeatureKinds

__all__ = ["feature_kinds", "id_like_notices", "raw_features"]

MIN_ROWS_TO_ENCODE = 200  # below, means of the target by category say too little
MAX_CLASSES_TO_ENCODE = 10  # a column becomes one for each class


def feature_kinds(
    spec: TrainingSpec, frame: pl.DataFrame, target: str, task: Task
) -> tuple[FeatureKinds, list[str]]:
    """Return how each column is read, and a sentence for each that is left out.

    Raises:
        InvalidInputError: none can be used, or the time column is text, of which a value is no
            date.
    """
    _check_dates(spec, frame)
    by_kind: dict[ColumnKind, list[str]] = {}
    dropped: list[str] = []
    for column in frame.get_columns():
        if column.name in (target, spec.group_column, spec.weight_column):
            continue
        if reason := _useless(column):
            dropped.append(f"Column {column.name!r} was left out: {reason.removesuffix('.')}.")
        else:
            by_kind.setdefault(_read_as(column), []).append(column.name)
    if not by_kind:
        reasons = " ".join(dropped) or "There is no column beside the target."
        raise InvalidInputError(f"No usable feature for target {target!r}. {reasons}")
    kinds = FeatureKinds(
        numeric=tuple(by_kind.get("numeric", ())),
        boolean=tuple(by_kind.get("boolean", ())),
        categorical=tuple(by_kind.get("categorical", ())),
        temporal=tuple(by_kind.get("temporal", ())),
        text=tuple(by_kind.get("text", ())),
        is_ordered=spec.time_column is not None,
    )
    return replace(kinds, many_valued=_many_valued(spec, frame, kinds, target, task)), dropped


def _check_dates(spec: TrainingSpec, frame: pl.DataFrame) -> None:
    """Refuse a time column that is text for the sake of some values, which are named."""
    if spec.time_column is None:
        return
    if told := date_text_notice(frame[spec.time_column], rows="complete rows"):
        raise InvalidInputError(f"The time column cannot order the rows: {told}")


def _read_as(column: pl.Series) -> ColumnKind:
    """Return the kind; text is what has several words, all other is names of categories."""
    kind = column_kind(column)
    return "categorical" if kind == "text" and not reads_as_text(column) else kind


def _many_valued(
    spec: TrainingSpec, frame: pl.DataFrame, kinds: FeatureKinds, target: str, task: Task
) -> tuple[str, ...]:
    """Return the categories that are told by means of the target.

    None where rows hang together by group or time: the means that a row is given while fitting
    come from other rows at random, so they would tell it the target of its own group.
    """
    if spec.group_column is not None or spec.time_column is not None:
        return ()
    n_classes = frame[target].n_unique() if task == "classification" else 1
    if frame.height < MIN_ROWS_TO_ENCODE or n_classes > MAX_CLASSES_TO_ENCODE:
        return ()
    return tuple(name for name in kinds.categorical if frame[name].n_unique() > MAX_ONE_HOT)


def _useless(column: pl.Series) -> str:
    """Return why a column cannot help, or nothing."""
    kind = column_kind(column)
    if not column.name:
        return "it has no name"
    if kind == "empty":
        return "it has no values"
    if kind == "unsupported":
        return f"{column.dtype} cannot be used"
    if kind in ("categorical", "text") and names_each_row(column):
        return number_text_notice(column) or "it names each row"
    if column.drop_nulls().n_unique() == 1 and column.null_count() == 0:
        return "it has one value only"
    return ""


def id_like_notices(spec: TrainingSpec, frame: pl.DataFrame, kinds: FeatureKinds) -> list[str]:
    """Return a sentence for each column that is learnt from and only numbers the rows.

    A time column may count up; that is what it is for. Of text that looks like numbers more is told
    elsewhere.
    """
    names = [name for name in kinds.names if name in frame.columns and name != spec.time_column]
    like = (name for name in names if numbers_or_names_rows(frame[name]))
    return [id_like_notice(name) for name in like if not number_text_notice(frame[name])]


def raw_features(frame: pl.DataFrame, kinds: FeatureKinds) -> pd.DataFrame:
    """Return the features as a caller would send them, infinite numbers as missing."""
    return pl.DataFrame([_finite(frame[name]) for name in kinds.names]).to_pandas()


def _finite(column: pl.Series) -> pl.Series:
    return column.set(column.is_infinite(), None) if column.dtype.is_float() else column
