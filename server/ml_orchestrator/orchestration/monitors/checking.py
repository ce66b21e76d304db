"""What can be known when a monitor is set: that its looks will be able to look.

What a look would read is read, and what it would compare is compared on a few rows. Only data that
are not there yet are left to the first look; a notice says so.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.models import QualityCheck
from ml_orchestrator.datasets.row_names import not_compared
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.health.drift.choice import Pair, measure
from ml_orchestrator.health.monitors.calibration import AUTO, chunk_size, limit_faults
from ml_orchestrator.health.monitors.models import (
    DriftWatch,
    MonitorSpec,
    PerformanceWatch,
    QualityWatch,
)
from ml_orchestrator.health.monitors.watches import is_log, is_one_table
from ml_orchestrator.health.performance.check import LEAST_LABELLED
from ml_orchestrator.health.performance.predictions import read_predictions
from ml_orchestrator.health.schema_changes import is_empty
from ml_orchestrator.orchestration.monitors.drift import compared_columns
from ml_orchestrator.orchestration.monitors.faults import Faults
from ml_orchestrator.orchestration.monitors.judging import expectations
from ml_orchestrator.orchestration.monitors.predicted import PredictedColumns, predicted_columns
from ml_orchestrator.orchestration.monitors.reading import check_times, check_watch, peek
from ml_orchestrator.orchestration.monitors.references import References
from ml_orchestrator.orchestration.monitors.together import check_together_can_judge
from ml_orchestrator.orchestration.samples import Side
from ml_orchestrator.orchestration.schedules import Cadence
from ml_orchestrator.settings import Settings

__all__ = ["check_cadence", "check_data"]

MOST_CHECKED_ROWS = 500  # of each column, for its kind


def check_data(faults: Faults, settings: Settings, spec: MonitorSpec) -> str | None:
    """Collect what would keep a look from looking; return why there is nothing to look at yet."""
    waits_for, frame = None, None
    with faults.collected():
        waits_for = check_watch(settings, spec)
        frame = None if waits_for else peek(settings, spec)
    if frame is not None:
        _check_source(faults, spec, frame)
    references = References(settings, spec)
    if spec.drift is not None:
        with faults.collected():
            before = references.side(str(spec.reference))
            _check_drift(faults, spec, spec.drift, before, frame)
    if spec.performance is not None:
        _check_basis(faults, spec, spec.performance)
        with faults.collected():
            rows = references.table(spec.performance.reference or str(spec.reference)).rows
            _check_performance(faults, spec, spec.performance, rows, frame)
    if spec.quality is not None:
        with faults.collected():
            _check_quality(faults, references, spec, spec.quality)
    return waits_for


def check_cadence(faults: Faults, spec: MonitorSpec, cadence: Cadence, now: Any) -> None:
    """Note that looks are further apart than data may be missing."""
    times = [now]
    for _ in range(3):
        times.append(cadence.following(times[-1]))
    gap_s = max((after - before).total_seconds() for before, after in pairwise(times[1:]))
    if spec.grace_s < gap_s:
        faults.notices.append(
            f"Looks are up to {gap_s:,.0f} s apart and grace_s is {spec.grace_s:,.0f}: the first "
            "look without new data opens an alert."
        )


def _check_source(faults: Faults, spec: MonitorSpec, frame: pl.DataFrame) -> None:
    if spec.time_column is not None:
        with faults.collected():
            check_times(frame, spec.time_column, spec.watch)
    if is_one_table(spec.watch) and frame.height < spec.least_rows:
        faults.notices.append(
            f"{spec.watch} has {frame.height:,} rows now; a look takes {spec.least_rows:,}."
        )


# Drift ---------------------------------------------------------------------------------


def _check_drift(
    faults: Faults,
    spec: MonitorSpec,
    watch: DriftWatch,
    before: Side,
    frame: pl.DataFrame | None,
) -> None:
    after = None if frame is None else columns_as_arrays(frame)
    names, left_out = compared_columns(spec, watch, before, after)
    faults.notices += not_compared(left_out, before.times)
    if after is not None:
        names = _check_columns(faults, spec, names, before, after)
    names = [name for name in names if not is_empty(before.columns[name])]
    if not names:
        return
    rows = {name: before.rows[name] for name in names}
    if watch.together is not None:
        check_together_can_judge(
            faults, watch.together, before.rows, names, least_rows=spec.least_rows
        )
    n_rows = chunk_size(spec.least_rows, min(len(column) for column in rows.values()))
    if watch.limits == "calibrated":
        faults.found += limit_faults(rows, names, n_rows=n_rows, rate=spec.rate, test=watch.test)
        _note_cycles(faults, spec, before)
    elif watch.test != AUTO:
        for name in names:
            with faults.collected():
                _check_test(name, rows[name], watch.test)


def _check_columns(
    faults: Faults,
    spec: MonitorSpec,
    names: Sequence[str],
    before: Side,
    after: Mapping[str, NDArray[Any]],
) -> list[str]:
    """Return the columns that both have, in one kind."""
    if gone := [name for name in names if name not in after]:
        faults.add(
            f"{spec.watch!r} has no column {', '.join(map(repr, gone))}, which would be found gone "
            f"at every look; it has {', '.join(list(after)[:30])}. Name those to compare in "
            "drift.columns."
        )
    kept = []
    for name in names:
        if name not in after or is_empty(after[name]) or is_empty(before.columns[name]):
            continue
        with faults.collected():
            Pair.read(name, before.columns, {name: after[name]})
            kept.append(name)
    return kept


def _check_test(name: str, column: NDArray[Any], test: str) -> None:
    """Compare a few rows of the reference with others of it, so that the test says what it takes.

    Raises:
        OrchestratorError: there is no such test, or it does not take the column.
    """
    some = column[:MOST_CHECKED_ROWS]
    if not (is_empty(some[::2]) or is_empty(some[1::2])):
        measure(Pair.read(name, {name: some[::2]}, {name: some[1::2]}), test)


def _note_cycles(faults: Faults, spec: MonitorSpec, before: Side) -> None:
    name = spec.time_column
    if name is not None and name not in before.rows:
        faults.notices.append(
            f"{spec.reference} has no column {name!r}, so that limits do not know what recurs by "
            "the day or the week."
        )


# Performance ---------------------------------------------------------------------------


def _check_basis(faults: Faults, spec: MonitorSpec, watch: PerformanceWatch) -> None:
    if is_log(spec.watch) and watch.basis == "measured":
        faults.add(
            "A serving log holds no labels, so that performance on it cannot be measured. Take "
            "basis estimated, or watch files in which labels are joined to it."
        )


def _check_performance(
    faults: Faults,
    spec: MonitorSpec,
    watch: PerformanceWatch,
    before: Mapping[str, NDArray[Any]],
    frame: pl.DataFrame | None,
) -> None:
    after = None if frame is None else columns_as_arrays(frame)
    columns = predicted_columns(spec, watch, before, after)
    if frame is not None:
        _check_predictions(faults, spec, watch, columns, frame.columns)
    known = read_predictions(before, side="reference", **columns.as_arguments())
    n_labelled = int(known.is_labelled.sum())
    if n_labelled < LEAST_LABELLED:
        faults.add(
            f"The reference has {n_labelled} rows with a label in {watch.target!r}; "
            f"{LEAST_LABELLED} are needed to know how good the model was."
        )
    must_estimate = watch.basis == "estimated" or is_log(spec.watch)
    if must_estimate and known.classes and not columns.probabilities:
        faults.add(
            f"Of {watch.target!r} classes are predicted, and without probabilities nothing can be "
            "estimated. Name their columns in performance.probabilities, or give a reference "
            "with the columns of the serving log, such as prediction and probability_CLASS."
        )


def _check_predictions(
    faults: Faults,
    spec: MonitorSpec,
    watch: PerformanceWatch,
    columns: PredictedColumns,
    there: Sequence[str],
) -> None:
    named = [*(columns.probabilities or {}).values(), columns.prediction]
    if gone := [name for name in named if name and name not in there]:
        faults.add(
            f"{spec.watch!r} has no column {', '.join(map(repr, gone))} of predictions; it has "
            f"{', '.join(there[:30])}."
        )
    if watch.basis == "measured" and watch.target not in there:
        faults.notices.append(
            f"{spec.watch} has no column {watch.target!r} yet; looks say no_data until it has."
        )


# Quality -------------------------------------------------------------------------------


def _check_quality(
    faults: Faults, references: References, spec: MonitorSpec, watch: QualityWatch
) -> None:
    expected = expectations(references, str(spec.reference))
    if not set(get_args(QualityCheck)) - set(watch.leave_out):
        faults.add("quality.leave_out names every check, so that nothing is left to check.")
    if watch.max_age_hours is None:
        return
    if "freshness" in watch.leave_out:
        faults.add("quality.max_age_hours is judged by the check freshness, which is left out.")
    elif all(column.newest is None for column in expected.columns):
        faults.add(
            f"{spec.reference} has no column of dates or times, so that quality.max_age_hours "
            "cannot be judged. Leave it out, or read one as temporal by column_types."
        )
