"""Where predictions stand in what a monitor watches and in its reference."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.monitors.models import MonitorSpec, PerformanceWatch
from ml_orchestrator.health.monitors.watches import is_log
from ml_orchestrator.serving.log_files import OwnColumns

__all__ = ["PredictedColumns", "predicted_columns", "with_chances"]

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PredictedColumns:
    """Arguments of `read_predictions` that are the same for both sides."""

    target: str
    prediction: str | None
    probabilities: Mapping[str, str] | None
    leave_out: tuple[str, ...]

    def as_arguments(self) -> dict[str, Any]:
        """Return them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def predicted_columns(
    spec: MonitorSpec, watch: PerformanceWatch, before: Table, after: Table | None
) -> PredictedColumns:
    """Return where the predictions stand.

    A serving log names its columns itself: what the specification leaves out is taken from those
    of them that the reference has too.

    Args:
        spec: what is watched.
        watch: the columns that are named.
        before: the reference.
        after: the new data; None if there are none yet.
    """
    prediction, probabilities = watch.prediction, watch.probabilities
    others: tuple[str | None, ...] = (spec.time_column,)
    if is_log(spec.watch):
        own = OwnColumns.among(before if after is None else after)
        others = (*others, own.version, own.served_at)
        if prediction is None and own.prediction in before:
            prediction = own.prediction
        if probabilities is None:
            found = own.probabilities(before if after is None else after)
            probabilities = {label: name for label, name in found.items() if name in before} or None
    return PredictedColumns(
        watch.target, prediction, probabilities, tuple(name for name in others if name)
    )


def with_chances(after: Table, columns: PredictedColumns) -> tuple[dict[str, Any], int]:
    """Return the rows that have every probability, and how many have not.

    A server leaves them out where the model was let go before it was asked for them, and a version
    may know other classes than the one before it.
    """
    names = [name for name in (columns.probabilities or {}).values() if name in after]
    numbers = [after[name] for name in names if after[name].dtype.kind == "f"]
    if not numbers:
        return dict(after), 0
    is_known = np.all([np.isfinite(column) for column in numbers], axis=0)
    kept = {name: column[is_known] for name, column in after.items()}
    return kept, int((~is_known).sum())
