"""New data judged by a monitor's checks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from ml_orchestrator.datasets.quality import Expectations, check_quality, expect
from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.health.monitors.models import MonitorSpec, PerformanceWatch, QualityWatch
from ml_orchestrator.health.monitors.watches import is_log
from ml_orchestrator.health.options import BASELINE_PREFIX
from ml_orchestrator.health.performance.check import LEAST_LABELLED, check_performance
from ml_orchestrator.health.performance.predictions import read_predictions
from ml_orchestrator.orchestration.monitors.drift import judge_drift
from ml_orchestrator.orchestration.monitors.findings import Judgement
from ml_orchestrator.orchestration.monitors.predicted import (
    PredictedColumns,
    named_version,
    of_versions,
    predicted_columns,
    with_chances,
)
from ml_orchestrator.orchestration.monitors.reading import Data
from ml_orchestrator.orchestration.monitors.references import References
from ml_orchestrator.settings import Settings

__all__ = ["expectations", "judge"]


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
        judge_drift(found, references, spec, spec.drift, data.frame, known_limits)
    if spec.performance is not None:
        _judge_performance(found, references, spec, spec.performance, data.frame)
    if spec.quality is not None:
        _judge_quality(found, references, spec, spec.quality, data, now)
    return found


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
    columns = predicted_columns(spec, watch, before, after)
    if not is_log(spec.watch):
        _judge_predictions(found, spec, watch, columns, before, after, alpha=spec.rate)
        return
    parts = of_versions(after)
    judged: dict[int, dict[str, Any]] = {}
    for version, part in parts.items():
        of_it = f"of version {version} " if len(parts) > 1 else ""
        rows, n_without = with_chances(part, columns)
        n_rows = len(next(iter(rows.values())))
        if n_without:
            found.remarks.append(f"{n_without:,} of the new rows {of_it}have no probabilities.")
        if n_rows >= spec.least_rows:
            judged[version] = rows
        else:
            found.remarks.append(
                f"Only {n_rows:,} new rows {of_it}can be judged; a look takes {spec.least_rows:,}."
            )
    found.n_open += not judged
    alpha = spec.rate / max(1, len(judged))
    for version, rows in judged.items():
        said = named_version(before, after, version, is_alone=len(parts) == 1)
        _judge_predictions(found, spec, watch, columns, before, rows, alpha=alpha, said=said)


def _judge_predictions(
    found: Judgement,
    spec: MonitorSpec,
    watch: PerformanceWatch,
    columns: PredictedColumns,
    before: Mapping[str, Any],
    after: dict[str, Any],
    *,
    alpha: float,
    said: str = "",
) -> None:
    """Add what is seen of rows of one model; ``said`` names it."""
    if watch.basis == "estimated":
        after.pop(watch.target, None)
    known = read_predictions(before, side="reference", **columns.as_arguments())
    given = read_predictions(after, side="current", classes=known.classes, **columns.as_arguments())
    n_labelled = int(given.is_labelled.sum())
    if watch.basis == "measured" and n_labelled < LEAST_LABELLED:
        found.remarks.append(
            f"Only {n_labelled} of the new rows have a label; {LEAST_LABELLED} are needed to "
            "measure."
        )
        found.n_open += 1
        return
    report = check_performance(known, given, chunk=f"{len(given.predicted)}rows", alpha=alpha)
    found.n_checks += 1
    if report.is_worse:
        found.find(f"performance {said}", f"{said}{report.summary}")
    else:
        found.remarks.append(f"{said}{report.summary}")


# Quality -------------------------------------------------------------------------------


def _judge_quality(
    found: Judgement,
    references: References,
    spec: MonitorSpec,
    watch: QualityWatch,
    data: Data,
    now: datetime,
) -> None:
    expected = expectations(references, str(spec.reference))
    left_out = set(watch.leave_out)
    if is_log(spec.watch):
        left_out |= {"volume"}  # as many as were asked
        columns = tuple(c for c in expected.columns if c.name in data.frame.columns)
        expected = expected.model_copy(update={"columns": columns, "is_part": True})
    report = check_quality(
        data.frame,
        expected,
        now=now.astimezone(UTC).replace(tzinfo=None),
        max_age_hours=watch.max_age_hours,
        n_rows=data.n_rows,
    )
    found.n_checks += 1
    for finding in report.findings:
        if finding.check in left_out:
            continue
        where = f" of {finding.column!r}" if finding.column else ""
        said = f"{finding.check}{where}: {finding.summary}"
        is_bad = finding.severity == "error" or watch.counts == "warning"
        if is_bad:
            found.find(f"{finding.check}{where}", said)
        else:
            found.remarks.append(said)


def expectations(references: References, reference: str) -> Expectations:
    """Return what new data are held against; errors are those of the reference."""
    if reference.startswith(BASELINE_PREFIX):
        facts = references.baseline(reference).facts
        return Expectations.model_validate(facts["expectations"])
    dataset = references.dataset(reference)
    return expect(dataset.frame, n_rows=dataset.n_drawn_from)
