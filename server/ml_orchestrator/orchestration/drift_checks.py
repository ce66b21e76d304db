"""Samples compared, and predictions judged: the work behind the tools for drift."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.datasets.known_rows import left_out
from ml_orchestrator.datasets.row_names import not_compared, not_learnt_from
from ml_orchestrator.doors import Door
from ml_orchestrator.health.chunks import Timeline
from ml_orchestrator.health.counting import count_report
from ml_orchestrator.health.drift.texts import Embed
from ml_orchestrator.health.impact import next_steps, weigh
from ml_orchestrator.health.models import DriftOverTime, DriftPage, DriftReport, SchemaChange
from ml_orchestrator.health.options import DriftOptions, InlineTable, PerformanceOptions
from ml_orchestrator.health.over_time import dating_notice, drift_over_time
from ml_orchestrator.health.page import drift_page
from ml_orchestrator.health.page_store import PageStore
from ml_orchestrator.health.performance.check import check_performance
from ml_orchestrator.health.performance.models import PerformanceReport
from ml_orchestrator.health.performance.plot import performance_plot
from ml_orchestrator.health.performance.predictions import Predicted, read_predictions
from ml_orchestrator.health.plots import drift_plot, onset_plot
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.schema_changes import awaits_labels, split_by_schema
from ml_orchestrator.health.together import check_together, with_together
from ml_orchestrator.health.vector_groups import groups_of
from ml_orchestrator.memory._vectors import Embedder, open_model
from ml_orchestrator.orchestration.drift_runs import log_drift, options_as_params
from ml_orchestrator.orchestration.importances import Reliance, reliance_of
from ml_orchestrator.orchestration.samples import SampleReader, Side, side_of
from ml_orchestrator.settings import Settings

__all__ = ["DriftChecker"]


class DriftChecker:
    """Compares samples that are named by their source."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._samples = SampleReader(settings)
        self._pages = PageStore(settings.home)
        folder = settings.memory_embeddings
        self._embed = None if folder is None else _Meaning(folder.expanduser())

    def check(
        self, reference: str | InlineTable, current: str | InlineTable, options: DriftOptions
    ) -> tuple[DriftReport, list[bytes]]:
        """Return what changed between two samples and, if wanted, PNGs.

        Raises:
            OrchestratorError: a sample cannot be read or compared; the message says which.
        """
        before, after = self._samples.pair(reference, current, options.column_types)
        if groups := groups_of(options.columns or (), list(before.rows)):
            before = before.with_groups(groups, side="reference")
            after = after.with_groups(groups, side="current")
        timeline = None if options.time_column is None else after.timeline(options.time_column)
        model = None if options.model is None else reliance_of(self._settings, options.model)
        ignored = _ignored(before, model, options)
        names, left_out = _to_compare(before, after, ignored, options)
        said = not_compared(left_out, before.times)
        names, changes = split_by_schema(before.columns, after.columns, names)
        if model is not None:
            changes = tuple(c for c in changes if not awaits_labels(c, model.target))
        report = _compared(before, after, names, changes, options, self._embed)
        if model is not None:
            said += not_learnt_from(ignored, model.version)
        more: dict[str, Any] = {"notices": (*before.notices, *after.notices, *said)}
        if timeline is not None or options.chunk is not None:
            more["over_time"] = _dated(report, before, after, timeline, options)
            more["notices"] += dating_notice(before.columns, _names(report))
        if model is not None:
            more["model"] = weigh(
                report,
                model.importances,
                model=model.version,
                outcomes=model.outcomes([*_names(report), *(c.column for c in changes)]),
            )
        report = report.model_copy(update=more)
        report = report.model_copy(update={"next_steps": next_steps(report)})
        count_report(report)
        return report, _pictures(report, before, after) if options.with_plot else []

    def write_report(self, reference: str, current: str, options: DriftOptions) -> DriftPage:
        """Write what `check` finds, with its pictures, as a page, and say where it is.

        With ``to_mlflow`` it becomes a run of the experiment ``monitoring`` too.

        Raises:
            OrchestratorError: as for `check`, or the page cannot be written, or not be logged.
        """
        report, pictures = self.check(reference, current, replace(options, with_plot=True))
        title = f"Drift between {current} and {reference}"
        page = drift_page(report, pictures, title=title)
        path = self._pages.save(page)
        run_id = None
        if options.to_mlflow:
            asked = {"reference": reference, "current": current, **options_as_params(options)}
            run_id = log_drift(self._settings, report, page, pictures, asked, model=options.model)
        return DriftPage(
            page=str(path),
            is_drifted=report.is_drifted,
            mlflow_run=run_id,
            summary=report.summary,
        )

    def performance(
        self, reference: str, current: str, options: PerformanceOptions
    ) -> tuple[PerformanceReport, list[bytes]]:
        """Judge a model by the predictions in two files and, if wanted, draw a PNG.

        Raises:
            OrchestratorError: a file cannot be read, or does not hold what was named.
        """
        before, now = (side_of(self._samples.dataset(name)) for name in (reference, current))
        timeline = None if options.time_column is None else now.timeline(options.time_column)
        columns: dict[str, Any] = {
            "target": options.target,
            "prediction": options.prediction,
            "probabilities": options.probabilities,
            "leave_out": () if options.time_column is None else (options.time_column,),
        }
        known = read_predictions(before.rows, side="reference", **columns)
        given = read_predictions(now.rows, side="current", classes=known.classes, **columns)
        report = check_performance(
            known, given, timeline=timeline, chunk=options.chunk, alpha=options.alpha
        )
        lost = _without_target(options.target, known, given)
        if notices := (*before.notices, *now.notices, *lost):
            report = report.model_copy(update={"notices": notices})
        return report, [performance_plot(report)] if options.with_plot else []


class _Meaning:
    """Texts to vectors, by the model that memory uses; it is read when a text comes."""

    def __init__(self, folder: Path) -> None:
        self._model: Door[Embedder] = Door(lambda: open_model(folder))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._model().encode(texts)


def _without_target(target: str, reference: Predicted, current: Predicted) -> list[str]:
    """Return how many rows lack the target; rows of now that all lack it are estimated."""
    n_lost = int((~reference.is_labelled).sum())
    is_labelled = current.is_labelled
    n_unmeasured = int((~is_labelled).sum()) if is_labelled.any() else 0
    return [
        *left_out(n_lost, [target], of="the reference"),
        *left_out(n_unmeasured, [target], of="what is measured"),
    ]


def _ignored(before: Side, model: Reliance | None, options: DriftOptions) -> frozenset[str]:
    """Return the columns that the model's training left out; not those that the call names."""
    if model is None or options.columns:
        return frozenset()
    return model.ignored.intersection(before.columns).difference(options.column_types)


def _to_compare(
    before: Side, after: Side, ignored: frozenset[str], options: DriftOptions
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the columns that are named, else all but ids and dates; and those left out."""
    if options.columns:
        return options.columns, ()
    apart = {options.time_column, *ignored}
    names = [name for name in before.columns if name not in apart]
    left_out = before.left_out(names, after.columns)
    return [name for name in names if name not in left_out], left_out


def _compared(
    before: Side,
    after: Side,
    names: Sequence[str],
    changes: Sequence[SchemaChange],
    options: DriftOptions,
    embed: Embed | None,
) -> DriftReport:
    """Compare the columns one by one and, if wanted, all together.

    Either may find drift by chance, so that each then has half of ``alpha``.
    """
    alpha = options.alpha if options.together is None else options.alpha / 2
    report = check_drift(
        before.columns,
        after.columns,
        tests=options.test,
        alpha=alpha,
        correction=options.correction,
        share_threshold=options.share_threshold,
        columns=names,
        schema_changes=changes,
        embed=embed,
    )
    if options.together is None:
        return report
    together = check_together(
        before.rows,
        after.rows,
        test=options.together,
        alpha=alpha,
        columns=sorted(_names(report)),
    )
    return with_together(report, together)


def _dated(
    report: DriftReport,
    before: Side,
    after: Side,
    timeline: Timeline | None,
    options: DriftOptions,
) -> DriftOverTime:
    return drift_over_time(
        before.columns,
        after.rows,
        tests={column.column: column.test for column in report.columns},
        timeline=timeline,
        chunk=options.chunk,
        alpha=options.alpha,
        correction=options.correction,
    )


def _names(report: DriftReport) -> Sequence[str]:
    return [column.column for column in report.columns]


def _pictures(report: DriftReport, before: Side, after: Side) -> list[bytes]:
    pictures = [drift_plot(report, before.columns, after.columns)]
    if report.over_time is not None:
        pictures.append(onset_plot(report, report.over_time))
    return pictures
