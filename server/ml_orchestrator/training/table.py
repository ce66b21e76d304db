"""The checked table a training works on; everything unusable is refused here."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.columns import check_column
from ml_orchestrator.datasets.kinds import (
    column_kind,
    is_id_like,
    reads_as_text,
    suggest_metric,
    suggest_task,
)
from ml_orchestrator.datasets.models import ColumnKind
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.metrics import METRICS, PINBALL, Metric, pick_metric, pinball_loss
from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.preprocessing import MAX_ONE_HOT, FeatureKinds
from ml_orchestrator.training.row_roles import groups_of, times_of, weights_of
from ml_orchestrator.training.trainer import Problem

__all__ = ["TrainingTable", "check_head", "prepare_table"]

MAX_CLASSES = 100
IMBALANCED = 0.4  # of an equal share of the rows
MIN_ROWS_TO_ENCODE = 200  # below, means of the target by category say too little
MAX_CLASSES_TO_ENCODE = 10  # a column becomes one for each class
MAX_INTEGER = 2**53  # up to here a float holds every integer


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Raw feature rows beside the target, all with ``n_rows`` rows.

    ``labels`` holds the target as the pipeline sees and returns it; ``codes`` the same as
    class codes from 0 (classification) or as floats (regression). ``times`` and ``groups``
    are numbers that order or group the rows, ``weights`` say how much each counts, where the spec
    asks for it.
    """

    frame: pl.DataFrame
    features: pd.DataFrame
    labels: NDArray[Any]
    codes: NDArray[Any]
    classes: tuple[str, ...]
    target: str
    task: Task
    metric: Metric
    kinds: FeatureKinds
    times: NDArray[np.float64] | None
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float64] | None
    quantile: float | None
    warnings: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """What the model families are told of it."""
        n_classes = len(self.classes)
        counts = np.bincount(self.codes) if n_classes else np.zeros(1)
        return Problem(
            task=self.task,
            n_classes=n_classes,
            is_imbalanced=n_classes > 0
            and bool(counts.min() * n_classes < IMBALANCED * len(self.codes)),
            is_ordered=self.times is not None,
            quantile=self.quantile,
            n_rows=len(self.codes),
        )


def prepare_table(spec: TrainingSpec, dataset: Dataset) -> TrainingTable:
    """Return the table to train on; rows without target, time or group are left out.

    Raises:
        InvalidInputError: the target, a column, the metric or every feature is unusable; the
            message says which and what would work.
    """
    target = _target_name(spec, dataset)
    frame, rows, warnings = _complete_rows(spec, dataset.frame, target)
    task = _task(spec, frame[target])
    kinds, dropped = _feature_kinds(spec, frame, target, task)
    labels, codes, classes = _labels(frame[target], task)
    return TrainingTable(
        frame=pl.DataFrame([frame[name] for name in (*kinds.names, target)]),
        features=_raw_features(frame, kinds),
        labels=labels,
        codes=codes,
        classes=classes,
        target=target,
        task=task,
        metric=_metric(spec, task, len(classes)),
        kinds=kinds,
        times=times_of(spec, frame),
        groups=groups_of(spec, frame),
        weights=weights_of(spec, frame, rows),
        quantile=spec.quantile,
        warnings=(*dataset.notices, *warnings, *dropped),
    )


def check_head(spec: TrainingSpec, dataset: Dataset) -> None:
    """Refuse what the first rows of a file prove wrong with the whole of it.

    Names, column types that no further row can mend, and a metric of another task; not the
    number of rows, of classes or of groups.

    Raises:
        InvalidInputError: the target, a column or the metric is unusable.
    """
    target = _target_name(spec, dataset)
    column = dataset.frame[target]
    not_features = (target, spec.group_column, spec.weight_column)
    others = [c for c in dataset.frame.get_columns() if c.name not in not_features]
    if column_kind(column) == "unsupported":
        raise InvalidInputError(f"The target {target!r} is {column.dtype}; choose another target.")
    if all(column_kind(other) == "unsupported" for other in others):
        raise InvalidInputError(f"No usable feature for target {target!r}; all are lists or bytes.")
    is_text = column_kind(column) in ("categorical", "text")
    if is_text and spec.task == "regression":
        raise InvalidInputError(
            f"The target {target!r} is {column.dtype}, not a number; use task classification."
        )
    if spec.quantile is None:
        _check_metric(spec.metric, "classification" if is_text else spec.task)


def _check_metric(name: str | None, task: str) -> None:
    fitting = [key for key, metric in METRICS.items() if task in ("auto", metric.task)]
    if name is not None and name not in fitting:
        about = "" if task == "auto" else f" for {task}"
        raise InvalidInputError(f"No metric {name!r}{about}; known: {', '.join(fitting)}.")


def _target_name(spec: TrainingSpec, dataset: Dataset) -> str:
    target = spec.target or dataset.default_target
    if target is None:
        known = ", ".join(dataset.frame.columns[:50])
        raise InvalidInputError(f"No target given for {spec.source!r}; columns: {known}.")
    roles = {
        target: "target",
        spec.time_column: "time column",
        spec.group_column: "group column",
        spec.weight_column: "weight column",
    }
    for name, role in roles.items():
        if name is not None:
            check_column(dataset.frame, name, role)
    if target in (spec.time_column, spec.group_column, spec.weight_column):
        raise InvalidInputError(
            f"{target!r} cannot be the target and order, group or weigh the rows too."
        )
    if spec.time_column and spec.group_column:
        raise InvalidInputError("Give a time column or a group column, not both.")
    return target


def _complete_rows(
    spec: TrainingSpec, frame: pl.DataFrame, target: str
) -> tuple[pl.DataFrame, NDArray[np.int64], list[str]]:
    """Return the rows that can be used, which they are, counted from 0, and what was lost."""
    if frame.height == 0:
        raise InvalidInputError(f"{spec.source!r} has no rows to train on.")
    if column_kind(frame[target]) in ("empty", "unsupported"):
        raise InvalidInputError(
            f"The target {target!r} has no usable value in {frame.height:,} rows "
            f"({frame[target].dtype}). Choose another target."
        )
    roles = (spec.time_column, spec.group_column, spec.weight_column)
    needed = [target, *(name for name in roles if name is not None)]
    is_known = [frame[name].is_not_null() for name in needed]
    if frame[target].dtype.is_float():
        is_known.append(frame[target].is_finite().fill_null(False))
    rows = np.flatnonzero(np.all([known.to_numpy() for known in is_known], axis=0))
    complete = frame[rows]
    n_lost = frame.height - complete.height
    if complete.height == 0:
        raise InvalidInputError(f"No row has a value in each of: {', '.join(needed)}.")
    named = " or ".join(repr(name) for name in needed)
    warnings = [f"{n_lost:,} rows without {named} were left out."] if n_lost else []
    return complete, rows, warnings


def _task(spec: TrainingSpec, target: pl.Series) -> Task:
    is_open = spec.task == "auto" and spec.quantile is None
    task = suggest_task(target) if is_open else spec.task
    if task == "auto":
        task = "regression"  # only a number has quantiles
    if task == "regression" and not target.dtype.is_numeric():
        raise InvalidInputError(
            f"The target {target.name!r} is {target.dtype}, not a number; use task classification."
        )
    if task == "classification" and spec.quantile is not None:
        raise InvalidInputError(
            f"The target {target.name!r} is classes, which have no quantile. Leave quantile out, "
            "or use task regression if it is a number."
        )
    n_unique = target.n_unique()
    if n_unique < 2:
        raise InvalidInputError(
            f"The target {target.name!r} has one value only, {target[0]!r}; there is nothing to "
            "learn. Choose another target or add rows of another class."
        )
    if task == "classification" and n_unique > MAX_CLASSES:
        raise InvalidInputError(
            f"The target {target.name!r} has {n_unique:,} classes, more than {MAX_CLASSES}. "
            "Use task regression, or put rare classes together."
        )
    return task


def _feature_kinds(
    spec: TrainingSpec, frame: pl.DataFrame, target: str, task: Task
) -> tuple[FeatureKinds, list[str]]:
    by_kind: dict[ColumnKind, list[str]] = {}
    dropped: list[str] = []
    for column in frame.get_columns():
        if column.name in (target, spec.group_column, spec.weight_column):
            continue
        if reason := _useless(column):
            dropped.append(f"Column {column.name!r} was left out: {reason}.")
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
    )
    return replace(kinds, many_valued=_many_valued(spec, frame, kinds, target, task)), dropped


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
    if kind in ("categorical", "text") and is_id_like(column):
        return "it names each row"
    if column.drop_nulls().n_unique() == 1 and column.null_count() == 0:
        return "it has one value only"
    return ""


def _labels(target: pl.Series, task: Task) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    if task == "regression":
        values = target.cast(pl.Float64).to_numpy()
        return values, values, ()
    if target.dtype.is_float() and _are_integers(target):
        target = target.cast(pl.Int64)
    if target.dtype.is_temporal():
        target = target.cast(pl.String)
    labels = np.array(target.to_list())
    classes, codes = np.unique(labels, return_inverse=True)
    return labels, codes, tuple(str(name) for name in classes)


def _are_integers(values: pl.Series) -> bool:
    return bool(((values == values.round()) & (values.abs() <= MAX_INTEGER)).all())


def _raw_features(frame: pl.DataFrame, kinds: FeatureKinds) -> pd.DataFrame:
    """Return the features as a caller would send them, infinite numbers as missing."""
    return pl.DataFrame([_finite(frame[name]) for name in kinds.names]).to_pandas()


def _finite(column: pl.Series) -> pl.Series:
    return column.set(column.is_infinite(), None) if column.dtype.is_float() else column


def _metric(spec: TrainingSpec, task: Task, n_classes: int) -> Metric:
    if spec.quantile is None:
        return pick_metric(spec.metric or suggest_metric(task, n_classes), task, n_classes)
    if spec.metric not in (None, PINBALL):
        raise InvalidInputError(
            f"A quantile is judged by {PINBALL}, which it makes least, and not by {spec.metric!r}. "
            "Leave the metric out."
        )
    return pinball_loss(spec.quantile)
