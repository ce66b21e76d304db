"""New data compared with a monitor's reference, by fixed limits or by calibrated ones."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.row_names import not_compared
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import each_near
from ml_orchestrator.health.counting import count_excess, count_report
from ml_orchestrator.health.monitors.calibration import (
    Limits,
    When,
    chunk_size,
    excess,
    limits_of,
)
from ml_orchestrator.health.monitors.models import DriftWatch, MonitorSpec
from ml_orchestrator.health.monitors.stretches import LEAST_STRETCHES, stretch_of
from ml_orchestrator.health.monitors.watches import is_log
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.schema_changes import awaits_labels, is_empty, split_by_schema
from ml_orchestrator.orchestration.monitors.findings import Judgement
from ml_orchestrator.orchestration.monitors.references import References
from ml_orchestrator.orchestration.monitors.together import judge_together
from ml_orchestrator.orchestration.samples import Side
from ml_orchestrator.serving.log_files import OwnColumns

__all__ = ["compared_columns", "judge_drift"]

MOST_NAMED = 5
MOST_KEPT = 32  # kinds of looks, by size and time of day, whose limits are kept
MOST_KEPT_LETTERS = 500_000  # of their JSON, together


def judge_drift(
    found: Judgement,
    references: References,
    spec: MonitorSpec,
    watch: DriftWatch,
    frame: pl.DataFrame,
    known_limits: Mapping[str, Any],
) -> None:
    """Add what drift new data show, and the limits that were calibrated.

    Raises:
        OrchestratorError: the reference cannot be read, or nothing can be compared.
    """
    before = references.side(str(spec.reference))
    current = columns_as_arrays(frame)
    names, left_out = compared_columns(spec, watch, before, current)
    left, changes = split_by_schema(before.columns, current, names)
    for change in changes:
        if spec.performance is not None and awaits_labels(change, spec.performance.target):
            continue
        found.find(f"{change.change} {change.column}", change.summary)
    found.n_checks += 1
    if not left:
        return
    if watch.limits == "fixed":
        is_drifted = _by_fixed_limits(found, watch, before, current, left)
    else:
        when = _when(found, spec, before, frame, current)
        found.limits = _limits(
            references, spec, watch, left, n_rows=frame.height, when=when, known=known_limits
        )
        calibrated = Limits.model_validate(found.limits["limits"])
        found.remarks += _of_cycles(calibrated, when)
        is_drifted = _by_calibrated_limits(found, calibrated, before, current)
    if watch.together is not None:
        judge_together(found, watch.together, before, current, left, alpha=spec.rate)
    if not is_drifted:
        found.remarks += not_compared(left_out, before.times)


def _by_fixed_limits(
    found: Judgement,
    watch: DriftWatch,
    before: Side,
    current: Mapping[str, NDArray[Any]],
    names: Sequence[str],
) -> bool:
    report = check_drift(
        before.columns,
        current,
        tests=watch.test,
        alpha=watch.alpha,
        correction=watch.correction,
        share_threshold=watch.share_threshold,
        columns=names,
    )
    count_report(report)
    if not report.is_drifted:
        found.remarks.append(report.summary)
        return False
    drifted = {f"drift {c.column}": c.summary for c in report.columns if c.is_drifted}
    found.findings += [report.summary, *list(drifted.values())[:MOST_NAMED]]
    found.subjects |= drifted
    return True


def _by_calibrated_limits(
    found: Judgement, limits: Limits, before: Side, current: Mapping[str, NDArray[Any]]
) -> bool:
    measured = excess(before.columns, current, limits)
    count_excess(measured.values())
    shares = {name: each.share for name, each in measured.items()}
    beyond = {name: share for name, share in shares.items() if share > 1}
    for name in sorted(beyond, key=beyond.__getitem__, reverse=True):
        found.find(f"drift {name}", _beyond(name, beyond[name]))
    if not beyond:
        worst = max(shares, key=shares.__getitem__)
        found.remarks.append(
            f"No column of {len(shares)} drifted; nearest to its limit is {worst!r}, at "
            f"{max(shares[worst], 0):.0%}."
        )
    return bool(beyond)


def compared_columns(
    spec: MonitorSpec, watch: DriftWatch, before: Side, current: Mapping[str, Any] | None
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the columns to compare: those named, else the reference's; and those left out.

    Unless they are named, columns that only number or name rows, and those of dates and times, are
    left out: an unchanged file of other rows differs in them.

    Args:
        spec: what is watched.
        watch: how it is compared.
        before: the reference.
        current: columns of the new data; None if there are none yet.

    Raises:
        InvalidInputError: the reference lacks a column, or there is none in common.
    """
    if watch.columns is not None:
        if unknown := [name for name in watch.columns if name not in before.columns]:
            raise InvalidInputError(
                f"The reference has no column {each_near(unknown, before.columns)}; it has "
                f"{', '.join(before.columns)}."
            )
        return watch.columns, ()
    names = [
        name
        for name, column in before.columns.items()
        if name != spec.time_column and not is_empty(column)
    ]
    if is_log(spec.watch) and current is not None:  # a log has no target, and a reference has one
        own = OwnColumns.among(current)
        names = [name for name in names if name in current and name != own.served_at]
    left_out = before.left_out(names, current)
    names = [name for name in names if name not in left_out]
    if not names:
        raise InvalidInputError(
            f"{spec.watch!r} and its reference have no column in common; the reference has "
            f"{', '.join(before.columns)}."
        )
    return names, left_out


def _when(
    found: Judgement,
    spec: MonitorSpec,
    before: Side,
    frame: pl.DataFrame,
    current: Mapping[str, NDArray[Any]],
) -> When | None:
    """Return when the rows of both were; None where that is not known, or not comparable."""
    name = spec.time_column
    if name is None and is_log(spec.watch):
        name = OwnColumns.among(current).served_at
    times = None if name is None else before.rows.get(name)
    if times is None or name is None or name not in current:
        return None
    is_time = frame[name].dtype.is_temporal()
    are_numbers = times.dtype.kind in "iuf" and current[name].dtype.kind in "iuf"
    if not are_numbers or is_time != (name in before.times):
        found.remarks.append(
            f"Column {name!r} is not of one kind, times or numbers, in reference and new data: "
            "what recurs by the day or the week is not known to the limits."
        )
        return None
    look = stretch_of(current[name], is_time=is_time)
    return None if look is None else When(times, look)


def _of_cycles(limits: Limits, when: When | None) -> list[str]:
    """Return what to know of limits that know cycles by few stretches, or not at all."""
    if when is None or not limits.n_resamples:
        return []
    if not limits.n_stretches:
        return [
            f"The reference has not {LEAST_STRETCHES} stretches as long as this look, with as many "
            "rows: what recurs by the day or the week is not known to its limits."
        ]
    if (by_chance := 1 / (limits.n_stretches + 1)) <= limits.rate:
        return []
    return [
        f"Limits are from {limits.n_stretches} stretches of the reference: data with cycles may be "
        f"beyond in {by_chance:.1%} of looks, not {limits.rate:.1%}."
    ]


def _limits(
    references: References,
    spec: MonitorSpec,
    watch: DriftWatch,
    names: Sequence[str],
    *,
    n_rows: int,
    when: When | None,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Return limits for looks of this size: those known, or calibrated now.

    Those of other sizes stay with them, the newest few, for looks that are now larger, now smaller.
    """
    reference = str(spec.reference)
    before = references.side(reference)
    size = chunk_size(n_rows, min(len(before.rows[name]) for name in names))
    content = _content(references, reference, names, before.rows, known.get("content", {}))
    stretch = None if when is None else asdict(when.look)
    asked = [reference, list(names), watch.test, spec.rate, size, content["digest"], stretch]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    kept = {**known.get("others", {})}
    if known:
        kept[known["key"]] = known["limits"]
    limits = kept.pop(key, None)
    if limits is None:
        found = limits_of(
            before.rows, size, columns=names, rate=spec.rate, test=watch.test, when=when
        )
        limits = found.model_dump(mode="json")
    return {"key": key, "limits": limits, "others": _newest(kept), "content": content}


def _newest(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last of the limits beside those of this look: as many as are kept, in order."""
    newest: list[tuple[str, Any]] = []
    n_letters = 0
    for key, limits in list(kept.items())[:-MOST_KEPT:-1]:
        n_letters += len(json.dumps(limits))
        if n_letters > MOST_KEPT_LETTERS:
            break
        newest.append((key, limits))
    return dict(newest[::-1])


def _content(
    references: References,
    reference: str,
    names: Sequence[str],
    rows: Mapping[str, NDArray[Any]],
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the digest of what chunks are drawn from; that of an unchanged file is known."""
    identity = references.identity(reference)
    asked = None if identity is None else [*identity, list(names)]
    if asked is not None and known.get("of") == asked:
        return dict(known)
    return {"of": asked, "digest": _digest(rows, names)}


def _digest(rows: Mapping[str, NDArray[Any]], names: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        values = rows[name]
        is_text = values.dtype == object
        digest.update(repr(values.tolist()).encode() if is_text else values.tobytes())
    return digest.hexdigest()


def _beyond(name: str, share: float) -> str:
    if not np.isfinite(share):
        return f"Column {name!r} drifted; chunks of the reference show no such thing at all."
    return f"Column {name!r} drifted: {share:.1f} times what chunks of the reference show."
