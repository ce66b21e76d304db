"""New data judged by a monitor's checks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.quality import Expectations, check_quality, expect
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.monitors.calibration import Limits, chunk_size, excess, limits_of
from ml_orchestrator.health.monitors.models import (
    SERVING_PREFIX,
    DriftWatch,
    MonitorSpec,
    PerformanceWatch,
    QualityWatch,
)
from ml_orchestrator.health.options import BASELINE_PREFIX
from ml_orchestrator.health.performance.check import LEAST_LABELLED, check_performance
from ml_orchestrator.health.performance.predictions import read_predictions
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.orchestration.monitors.reading import Data
from ml_orchestrator.orchestration.monitors.references import References
from ml_orchestrator.orchestration.samples import Side
from ml_orchestrator.serving.log_files import OwnColumns
from ml_orchestrator.settings import Settings

__all__ = ["Judgement", "judge"]

MOST_NAMED = 5
MOST_KEPT = 4  # sizes of looks whose limits are kept


@dataclass(slots=True)
class Judgement:
    """What the checks found; ``limits`` is what was calibrated, to be kept for the next look."""

    n_checks: int = 0
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    limits: dict[str, Any] | None = None

    @property
    def is_bad(self) -> bool:
        """Whether any check found something."""
        return bool(self.findings)


def judge(
    settings: Settings,
    spec: MonitorSpec,
    data: Data,
    *,
    known_limits: Mapping[str, Any],
    now: datetime,
) -> Judgement:
    """Return what a monitor's checks find in new data.

    Raises:
        OrchestratorError: the reference cannot be read, or nothing can be compared.
    """
    found, references = Judgement(), References(settings, spec)
    if spec.drift is not None:
        _judge_drift(found, references, spec, spec.drift, data.frame, known_limits)
    if spec.performance is not None:
        _judge_performance(found, references, spec, spec.performance, data.frame)
    if spec.quality is not None:
        _judge_quality(found, references, spec, spec.quality, data.frame, now)
    return found


# Drift ---------------------------------------------------------------------------------


def _judge_drift(
    found: Judgement,
    references: References,
    spec: MonitorSpec,
    watch: DriftWatch,
    frame: pl.DataFrame,
    known_limits: Mapping[str, Any],
) -> None:
    before = references.side(str(spec.reference))
    current = columns_as_arrays(frame)
    names = _compared(spec, watch, before, current)
    gone = [name for name in names if name not in current]
    empty = [name for name in names if name in current and _is_empty(current[name])]
    found.findings += [f"Column {name!r} is gone." for name in gone]
    found.findings += [f"Column {name!r} has no value any more." for name in empty]
    found.n_checks += 1
    left = [name for name in names if name not in {*gone, *empty}]
    if not left:
        return
    if watch.limits == "fixed":
        report = check_drift(
            before.columns,
            current,
            tests=watch.test,
            alpha=watch.alpha,
            correction=watch.correction,
            share_threshold=watch.share_threshold,
            columns=left,
        )
        drifted = [column.summary for column in report.columns if column.is_drifted]
        if report.is_drifted:
            found.findings += [report.summary, *drifted[:MOST_NAMED]]
        else:
            found.remarks.append(report.summary)
        return
    limits = _limits(spec, watch, before, left, frame.height, known_limits)
    found.limits = limits
    shares = excess(before.columns, current, Limits.model_validate(limits["limits"]))
    beyond = {name: share for name, share in shares.items() if share > 1}
    found.findings += [_beyond(name, beyond[name]) for name in sorted(beyond, key=beyond.get)[::-1]]  # type: ignore[arg-type]
    if not beyond:
        worst = max(shares, key=shares.__getitem__)
        found.remarks.append(
            f"No column of {len(shares)} drifted; nearest to its limit is {worst!r}, at "
            f"{max(shares[worst], 0):.0%}."
        )


def _compared(
    spec: MonitorSpec, watch: DriftWatch, before: Side, current: Mapping[str, Any]
) -> Sequence[str]:
    """Return the columns to compare: those named, else the reference's."""
    if watch.columns is not None:
        if unknown := [name for name in watch.columns if name not in before.columns]:
            raise InvalidInputError(
                f"The reference has no column {unknown[0]!r}; it has {', '.join(before.columns)}."
            )
        return watch.columns
    names = [
        name
        for name, column in before.columns.items()
        if name != spec.time_column and not _is_empty(column)
    ]
    if spec.watch.startswith(SERVING_PREFIX):  # a log has no target, and a reference has one
        own = OwnColumns.among(current)
        names = [name for name in names if name in current and name != own.served_at]
    if not names:
        raise InvalidInputError(
            f"{spec.watch!r} and its reference have no column in common; the reference has "
            f"{', '.join(before.columns)}."
        )
    return names


def _is_empty(column: Any) -> bool:
    if not isinstance(column, np.ndarray):
        return False  # a prepared sample has values
    if column.dtype.kind == "f":
        return not np.isfinite(column).any()
    return column.dtype == object and all(value is None for value in column.tolist())


def _limits(
    spec: MonitorSpec,
    watch: DriftWatch,
    before: Side,
    names: Sequence[str],
    n_rows: int,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Return limits for looks of this size: those known, or calibrated now.

    Those of other sizes stay with them, the newest few, for looks that are now larger, now smaller.
    """
    n_reference = min(len(before.rows[name]) for name in names)
    size = chunk_size(n_rows, n_reference)
    asked = [spec.reference, list(names), watch.test, spec.rate, size, _digest(before.rows, names)]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    kept = {**known.get("others", {})}
    if known:
        kept[known["key"]] = known["limits"]
    limits = kept.pop(key, None)
    if limits is None:
        found = limits_of(before.rows, size, columns=names, rate=spec.rate, test=watch.test)
        limits = found.model_dump(mode="json")
    others = dict(list(kept.items())[1 - MOST_KEPT :])
    return {"key": key, "limits": limits, "others": others}


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


# Performance ---------------------------------------------------------------------------


def _judge_performance(
    found: Judgement,
    references: References,
    spec: MonitorSpec,
    watch: PerformanceWatch,
    frame: pl.DataFrame,
) -> None:
    before = references.table(watch.reference or str(spec.reference)).rows
    after = dict(columns_as_arrays(frame))
    if watch.basis == "estimated":
        after.pop(watch.target, None)
    own = OwnColumns.among(after)
    is_log = spec.watch.startswith(SERVING_PREFIX)
    others = (own.version, own.served_at) if is_log else ()
    columns: dict[str, Any] = {
        "target": watch.target,
        "prediction": watch.prediction,
        "probabilities": watch.probabilities,
        "leave_out": tuple(name for name in (*others, spec.time_column) if name),
    }
    known = read_predictions(before, side="reference", **columns)
    given = read_predictions(after, side="current", classes=known.classes, **columns)
    n_labelled = int(given.is_labelled.sum())
    if watch.basis == "measured" and n_labelled < LEAST_LABELLED:
        found.remarks.append(
            f"Only {n_labelled} of the new rows have a label; {LEAST_LABELLED} are needed to "
            "measure."
        )
        return
    report = check_performance(known, given, chunk=f"{frame.height}rows", alpha=spec.rate)
    found.n_checks += 1
    (found.findings if report.is_worse else found.remarks).append(report.summary)


# Quality -------------------------------------------------------------------------------


def _judge_quality(
    found: Judgement,
    references: References,
    spec: MonitorSpec,
    watch: QualityWatch,
    frame: pl.DataFrame,
    now: datetime,
) -> None:
    expected = _expectations(references, str(spec.reference))
    left_out = set(watch.leave_out)
    if spec.watch.startswith(SERVING_PREFIX):
        left_out |= {"volume"}  # as many as were asked
        columns = tuple(c for c in expected.columns if c.name in frame.columns)
        expected = expected.model_copy(update={"columns": columns, "is_part": True})
    report = check_quality(
        frame,
        expected,
        now=now.astimezone(UTC).replace(tzinfo=None),
        max_age_hours=watch.max_age_hours,
    )
    found.n_checks += 1
    for finding in report.findings:
        if finding.check in left_out:
            continue
        where = f" of {finding.column!r}" if finding.column else ""
        said = f"{finding.check}{where}: {finding.summary}"
        is_bad = finding.severity == "error" or watch.counts == "warning"
        (found.findings if is_bad else found.remarks).append(said)


def _expectations(references: References, reference: str) -> Expectations:
    if reference.startswith(BASELINE_PREFIX):
        facts = references.baseline(reference).facts
        return Expectations.model_validate(facts["expectations"])
    return expect(references.dataset(reference).frame)
