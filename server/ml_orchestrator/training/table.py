"""The checked table a training works on; everything unusable is refused here."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.kinds import (
    column_kind,
    ignoring,
    infinite_notice,
    reading_as,
    suggest_metric,
    suggest_task,
)
from ml_orchestrator.datasets.number_texts import number_text_notice, stray_cell
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.costs import Cost, costs_asked
from ml_orchestrator.training.feature_columns import feature_kinds, id_like_notices, raw_features
from ml_orchestrator.training.metrics import METRICS, PINBALL, Metric, pick_metric, pinball_loss
from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.past_columns import past_columns, with_past
from ml_orchestrator.training.preprocessing import FeatureKinds
from ml_orchestrator.training.raw_numbers import LARGEST
from ml_orchestrator.training.row_roles import (
    complete_rows,
    groups_of,
    target_of,
    times_of,
    weights_of,
)
from ml_orchestrator.training.trainer import Problem

__all__ = ["TrainingTable", "check_head", "prepare_table"]

MAX_CLASSES = 100
IMBALANCED = 0.4  # of an equal share of the rows
LARGEST_TARGET = 1e150  # whose square, over many rows, is still a number
MAX_INTEGER = 2**53  # up to here a float holds every integer


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Raw feature rows beside the target, all with ``n_rows`` rows.

    Of time series (``kinds.past``) the features hold the target too: rows that are predicted later
    may look back at it.
    ``labels`` holds the target as the pipeline sees and returns it; ``codes`` the same as
    class codes from 0 (classification) or as floats (regression). ``times`` and ``groups``
    are numbers that order or group the rows (in time order, those of one time), ``weights`` say
    how much each counts, where the spec asks for it. ``n_fit_rows`` are those of the smallest fold,
    once the rows are split.
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
    costs: tuple[Cost, ...] = ()
    n_fit_rows: int = 0

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
            n_fit_rows=self.n_fit_rows,
        )


def prepare_table(spec: TrainingSpec, dataset: Dataset) -> TrainingTable:
    """Return the table to train on; rows without target, time, group or weight are left out.

    Raises:
        InvalidInputError: the target, a column, the metric or every feature is unusable; the
            message says which and what would work.
    """
    target = target_of(spec, dataset)
    frame, rows, warnings = complete_rows(spec, dataset.frame, target)
    task = _task(spec, frame[target])
    _refuse_stray_cells(spec, dataset.frame.drop(target))
    kinds, dropped = feature_kinds(spec, frame, target, task)
    numbering = id_like_notices(spec, dataset.frame, kinds)
    numbers = (dataset.frame[name] for name in (*kinds.numeric, target))
    endless = filter(None, map(infinite_notice, numbers))
    as_text = filter(None, (number_text_notice(dataset.frame[name]) for name in kinds.names))
    if task == "regression":
        _refuse_too_large(frame[target], rows)
    bounds = list(filter(None, (_beyond(frame[name], rows) for name in kinds.numeric)))
    labels, codes, classes = _labels(frame[target], task)
    times = times_of(spec, frame)
    past, unused = past_columns(spec, frame, target, task, classes, times)
    if past is None:
        unused += _idle_groups(spec)
    features = raw_features(frame, kinds)
    if past is not None:
        kinds, features = replace(kinds, past=past), with_past(features, frame, past)
    return TrainingTable(
        frame=pl.DataFrame([frame[name] for name in (*kinds.names, target)]),
        features=features,
        labels=labels,
        codes=codes,
        classes=classes,
        target=target,
        task=task,
        metric=_metric(spec, task, len(classes)),
        kinds=kinds,
        times=times,
        groups=groups_of(spec, frame),
        weights=weights_of(spec, frame, rows),
        quantile=spec.quantile,
        warnings=(
            *dataset.notices,
            *warnings,
            *dropped,
            *as_text,
            *bounds,
            *endless,
            *numbering,
            *unused,
        ),
        costs=_costs(spec),
    )


def _idle_groups(spec: TrainingSpec) -> list[str]:
    """Say that a column names series which nothing looks back at: time divides the rows."""
    if spec.time_column is None or spec.group_column is None:
        return []
    why = "With horizon 0 nothing" if spec.horizon == 0 else "Nothing"
    return [
        f"{why} looks back at the series that group_column {spec.group_column!r} names, and rows "
        f"are held out by {spec.time_column!r}: the column is not used at all. Leave group_column "
        "out to have it as a feature, or leave time_column out to hold out whole groups."
    ]


def check_head(spec: TrainingSpec, dataset: Dataset) -> None:
    """Refuse what the first rows of a file prove wrong with the whole of it.

    Names, column types that no further row can mend, and a metric of another task; not the
    number of rows, of classes or of groups.

    Raises:
        InvalidInputError: the target, a column or the metric is unusable.
    """
    _costs(spec)
    target = target_of(spec, dataset)
    column = dataset.frame[target]
    not_features = (target, spec.group_column, spec.weight_column)
    others = [c for c in dataset.frame.get_columns() if c.name not in not_features]
    if column_kind(column) == "unsupported":
        raise InvalidInputError(f"The target {target!r} is {column.dtype}; choose another target.")
    if all(column_kind(other) == "unsupported" for other in others):
        raise InvalidInputError(f"No usable feature for target {target!r}; all are lists or bytes.")
    is_text = column_kind(column) in ("categorical", "text")
    if is_text and spec.task == "regression":
        raise _no_number(column)
    if spec.quantile is None:
        _check_metric(spec.metric, "classification" if is_text else spec.task)


def _costs(spec: TrainingSpec) -> tuple[Cost, ...]:
    costs = costs_asked(spec.objectives)
    if costs and spec.sampler not in ("tpe", "nsga2", "random"):
        raise InvalidInputError(
            f"Sampler {spec.sampler!r} takes one objective; use tpe, nsga2 or random for several."
        )
    if spec.sampler == "nsga2" and not costs:
        raise InvalidInputError(
            "Sampler 'nsga2' weighs several objectives; name some (objectives: latency, size), or "
            "use tpe."
        )
    return costs


def _check_metric(name: str | None, task: str) -> None:
    fitting = [key for key, metric in METRICS.items() if task in ("auto", metric.task)]
    if name is not None and name not in fitting:
        about = "" if task == "auto" else f" for {task}"
        raise InvalidInputError(f"No metric {name!r}{about}; known: {', '.join(fitting)}.")


def _task(spec: TrainingSpec, target: pl.Series) -> Task:
    is_open = spec.task == "auto" and spec.quantile is None
    task = suggest_task(target) if is_open else spec.task
    if task == "auto":
        task = "regression"  # only a number has quantiles
    if task == "regression" and not target.dtype.is_numeric():
        raise _no_number(target)
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
            f"{number_text_notice(target) or _fewer_classes(target)}"
        )
    return task


def _beyond(column: pl.Series, rows: NDArray[np.int64]) -> str:
    """Return a sentence on numbers that the pipeline takes for smaller ones, or nothing."""
    values = np.nan_to_num(column.cast(pl.Float64).to_numpy(), posinf=0.0, neginf=0.0)
    found = np.flatnonzero(np.abs(values) > LARGEST)
    if len(found) == 0:
        return ""
    return (
        f"Column {column.name!r} has numbers beyond {LARGEST:g} ({len(found):,}, first "
        f"{values[found[0]]:g} in row {rows[found[0]] + 1:,}), which are taken for {LARGEST:g} "
        "with their sign. Correct them, or leave them empty."
    )


def _refuse_stray_cells(spec: TrainingSpec, frame: pl.DataFrame) -> None:
    """Return if no column is text for the sake of a few cells; their rows are counted from 1."""
    roles = (spec.time_column, spec.group_column, spec.weight_column)
    asked = [c for c in frame.get_columns() if c.name not in (*spec.column_types, *roles)]
    found = {c.name: told for c in asked if (told := stray_cell(c))}
    if found:
        name = next(iter(found))
        raise InvalidInputError(
            f"{'; '.join(found.values())}. Correct it, or leave it empty where it is not known. To "
            f"read a column as it stands: {reading_as(name, 'categorical')}; to leave it out: "
            f"{ignoring(name)}."
        )


def _refuse_too_large(target: pl.Series, rows: NDArray[np.int64]) -> None:
    """Return if every value can be squared; ``rows`` says which of the source they are, from 0."""
    values = target.cast(pl.Float64).to_numpy()
    wrong = np.flatnonzero(np.abs(values) > LARGEST_TARGET)
    if len(wrong):
        raise InvalidInputError(
            f"{len(wrong):,} values of the target {target.name!r} are beyond {LARGEST_TARGET:g}, "
            f"whose squares are no numbers, first {values[wrong[0]]:g} in row "
            f"{rows[wrong[0]] + 1:,}. Correct them, leave their rows out, or use another unit."
        )


def _no_number(target: pl.Series) -> InvalidInputError:
    mend = number_text_notice(target) or "Use task classification."
    return InvalidInputError(f"The target {target.name!r} is {target.dtype}, not a number. {mend}")


def _fewer_classes(target: pl.Series) -> str:
    if target.dtype.is_numeric():
        return "Use task regression, or put rare classes together."
    return "Put rare classes together, or choose another target."


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


def _metric(spec: TrainingSpec, task: Task, n_classes: int) -> Metric:
    if spec.quantile is None:
        return pick_metric(spec.metric or suggest_metric(task, n_classes), task, n_classes)
    if spec.metric not in (None, PINBALL):
        raise InvalidInputError(
            f"A quantile is judged by {PINBALL}, which it makes least, and not by {spec.metric!r}. "
            "Leave the metric out."
        )
    return pinball_loss(spec.quantile)
