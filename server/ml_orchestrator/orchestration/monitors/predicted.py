"""Where predictions stand in what a monitor watches and in its reference."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.monitors.models import MonitorSpec, PerformanceWatch
from ml_orchestrator.health.monitors.watches import is_log
from ml_orchestrator.serving.log_files import OwnColumns

__all__ = [
    "PredictedColumns",
    "named_version",
    "of_versions",
    "predicted_columns",
    "with_chances",
]

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


def of_versions(after: Table) -> dict[int, Table]:
    """Return the rows of a log by the version that answered, the newest version first."""
    versions = after[OwnColumns.among(after).version]
    return {
        int(version): {name: column[versions == version] for name, column in after.items()}
        for version in np.unique(versions)[::-1]
    }


def named_version(before: Table, after: Table, version: int, *, is_alone: bool) -> str:
    """Return what a finding on a version begins with: itself, and whose predictions it is held to.

    Nothing for the only version, unless the reference says that it has those of another. An
    estimate trusts probabilities as far as they were right in the reference.

    Args:
        before: the reference; whose predictions it has stands where the log says it.
        after: new rows of the log.
        version: of those that are judged.
        is_alone: whether no other version answered.
    """
    column = before.get(OwnColumns.among(after).version)
    known: set[int] = set()
    if column is not None and column.dtype.kind == "f":
        known = {int(value) for value in np.unique(column[np.isfinite(column)])}
    if known and version not in known:
        others = ", ".join(map(str, sorted(known)))
        return f"Version {version}, held to a reference of version {others}: "
    if is_alone:
        return ""
    return f"Version {version}{'' if known else ', held to a reference of no known version'}: "


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
