"""Samples named by their source, compared: the work behind the tools for drift."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.datasets.models import QualityReport
from ml_orchestrator.datasets.quality import Expectations, check_quality, expect
from ml_orchestrator.datasets.sources import Dataset, columns_as_arrays, load_dataset
from ml_orchestrator.errors import InvalidInputError, PermissionDeniedError, UnavailableError
from ml_orchestrator.health.baseline import prepare_baseline
from ml_orchestrator.health.baseline_store import BaselineStore
from ml_orchestrator.health.chunks import Timeline
from ml_orchestrator.health.counting import count_report
from ml_orchestrator.health.drift.contract import Columns
from ml_orchestrator.health.impact import next_steps, weigh
from ml_orchestrator.health.models import DriftReport
from ml_orchestrator.health.options import (
    BASELINE_PREFIX,
    BaselineSaved,
    DriftOptions,
    InlineTable,
    PerformanceOptions,
)
from ml_orchestrator.health.over_time import dating_notice, drift_over_time
from ml_orchestrator.health.page import drift_page
from ml_orchestrator.health.performance.check import check_performance
from ml_orchestrator.health.performance.models import PerformanceReport
from ml_orchestrator.health.performance.plot import performance_plot
from ml_orchestrator.health.performance.predictions import read_predictions
from ml_orchestrator.health.plots import drift_plot, onset_plot
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together
from ml_orchestrator.orchestration.importances import importances_of
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.home import prepare_home

__all__ = ["DriftChecker"]

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison: columns for tests of one, rows for tests of all together."""

    columns: Columns
    rows: Arrays
    notices: tuple[str, ...] = ()
    times: frozenset[str] = frozenset()

    def timeline(self, column: str) -> Timeline:
        """Return when each row was.

        Raises:
            InvalidInputError: no such column, or it holds text.
        """
        if column not in self.rows:
            raise InvalidInputError(
                f"The current sample has no column {column!r}; it has {', '.join(self.rows)}."
            )
        values = self.rows[column]
        if values.dtype == object:
            raise InvalidInputError(
                f"Column {column!r} holds text such as {values[0]!r}; a time column holds dates, "
                "times or numbers. Write dates as 2026-01-31 or 2026-01-31T12:00:00."
            )
        return Timeline(values, is_time=column in self.times)


class DriftChecker:
    """Reads samples inside the allowed roots, compares them, and keeps baselines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._baselines = BaselineStore(settings.home)

    def check(
        self, reference: str | InlineTable, current: str | InlineTable, options: DriftOptions
    ) -> tuple[DriftReport, list[bytes]]:
        """Return what changed between two samples and, if wanted, a PNG.

        Raises:
            OrchestratorError: a sample cannot be read or compared; the message says which.
        """
        before, after = self._side(reference), self._side(current)
        at = options.time_column
        timeline = None if at is None else after.timeline(at)
        report = check_drift(
            before.columns,
            after.columns,
            tests=options.test,
            alpha=options.alpha,
            correction=options.correction,
            share_threshold=options.share_threshold,
            columns=options.columns or [n for n in before.columns if n != at],
        )
        more: dict[str, Any] = {"notices": (*before.notices, *after.notices)}
        if options.together is not None:
            more["together"] = check_together(
                before.rows,
                after.rows,
                test=options.together,
                alpha=options.alpha,
                columns=sorted(column.column for column in report.columns),
            )
        if timeline is not None or options.chunk is not None:
            more["over_time"] = drift_over_time(
                before.columns,
                after.rows,
                tests={column.column: column.test for column in report.columns},
                timeline=timeline,
                chunk=options.chunk,
                alpha=options.alpha,
                correction=options.correction,
            )
            compared = [column.column for column in report.columns]
            more["notices"] += dating_notice(before.columns, compared)
        if options.model is not None:
            version, importances = importances_of(self._settings, options.model)
            more["model"] = weigh(report, importances, model=version)
        report = report.model_copy(update=more)
        report = report.model_copy(update={"next_steps": next_steps(report)})
        count_report(report)
        if not (options.with_plot or options.with_page):
            return report, []
        pictures = _pictures(report, before, after)
        if options.with_page:
            page = self._write_page(report, pictures, f"{_named(current)} and {_named(reference)}")
            report = report.model_copy(update={"page": str(page)})
        return report, pictures if options.with_plot else []

    def performance(
        self, reference: str, current: str, options: PerformanceOptions
    ) -> tuple[PerformanceReport, list[bytes]]:
        """Judge a model by the predictions in two files and, if wanted, draw a PNG.

        Raises:
            OrchestratorError: a file cannot be read, or does not hold what was named.
        """
        before, now = _side_of(self._load(reference)), _side_of(self._load(current))
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
        if notices := (*before.notices, *now.notices):
            report = report.model_copy(update={"notices": notices})
        return report, [performance_plot(report)] if options.with_plot else []

    def save_baseline(
        self, name: str, source: str, *, columns: Sequence[str] | None
    ) -> BaselineSaved:
        """Prepare a data set as a reference and keep it.

        Raises:
            ConflictError: the name is taken by other data.
            OrchestratorError: the data cannot be read, or not be kept.
        """
        dataset = self._load(source)
        frame = dataset.frame
        if columns is not None:
            if absent := [column for column in columns if column not in frame.columns]:
                raise InvalidInputError(
                    f"{source!r} has no column {absent[0]!r}; it has {', '.join(frame.columns)}."
                )
            frame = frame.select(columns)
        facts = {"expectations": expect(frame).model_dump(mode="json"), "digest": dataset.digest}
        baseline = prepare_baseline(columns_as_arrays(frame), source=source, facts=facts)
        size_bytes = self._baselines.save(name, baseline)
        return BaselineSaved(
            name=name,
            reference=f"{BASELINE_PREFIX}{name}",
            n_rows=baseline.n_rows,
            n_columns=len(baseline.samples),
            size_bytes=size_bytes,
            notices=dataset.notices,
        )

    def quality(self, source: str, baseline: str, *, max_age_hours: float | None) -> QualityReport:
        """Hold a data set against what a baseline lets expect.

        Raises:
            NotFoundError: no such baseline.
            OrchestratorError: the data or the baseline cannot be read.
        """
        kept = self._baselines.load(baseline.removeprefix(BASELINE_PREFIX))
        return check_quality(
            self._load(source).frame,
            Expectations.model_validate(kept.facts["expectations"]),
            now=datetime.now(UTC).replace(tzinfo=None),
            max_age_hours=max_age_hours,
        )

    def _write_page(self, report: DriftReport, pictures: Sequence[bytes], title: str) -> Path:
        """Write a page under the name of its content; the same report is written once."""
        if self._settings.mode == "read-only":
            raise PermissionDeniedError(
                "with_page writes a file, and this server is read-only. Ask for with_plot."
            )
        text = drift_page(report, pictures, title=f"Drift between {title}")
        folder = prepare_home(self._settings.home) / "reports"
        path = folder / f"drift-{hashlib.sha256(text.encode()).hexdigest()[:16]}.html"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UnavailableError(f"{path} could not be written: {error.strerror}.") from error
        return path

    def _load(self, source: str) -> Dataset:
        settings = self._settings
        return load_dataset(source, roots=settings.roots, max_bytes=settings.max_data_bytes)

    def _side(self, sample: str | InlineTable) -> _Side:
        if not isinstance(sample, str):
            arrays = {name: _array(name, values) for name, values in sample.items()}
            return _Side(arrays, arrays)
        if sample.startswith(BASELINE_PREFIX):
            kept = self._baselines.load(sample.removeprefix(BASELINE_PREFIX))
            return _Side(kept.samples, kept.rows)
        return _side_of(self._load(sample))


def _named(sample: str | InlineTable) -> str:
    return sample if isinstance(sample, str) else "rows of the call"


def _side_of(dataset: Dataset) -> _Side:
    arrays, frame = columns_as_arrays(dataset.frame), dataset.frame
    times = frozenset(name for name in frame.columns if frame[name].dtype.is_temporal())
    return _Side(arrays, arrays, dataset.notices, times)


def _pictures(report: DriftReport, before: _Side, after: _Side) -> list[bytes]:
    pictures = [drift_plot(report, before.columns, after.columns)]
    if report.over_time is not None:
        pictures.append(onset_plot(report, report.over_time))
    return pictures


def _array(name: str, values: Sequence[float | str | None]) -> NDArray[Any]:
    """Return numbers as float64 with NaN for missing, text as objects with None for missing."""
    if any(isinstance(value, str) for value in values):
        if any(isinstance(value, int | float) for value in values):
            raise InvalidInputError(
                f"Column {name!r} mixes text and numbers. Give all numbers, or all text."
            )
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values])
