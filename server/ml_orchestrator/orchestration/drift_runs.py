"""Drift reports as runs in MLflow, linked to the version they are about."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_orchestrator.health.models import DriftReport
from ml_orchestrator.health.numbers import numbers_of
from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.orchestration.importances import version_and_run
from ml_orchestrator.settings import Settings

__all__ = ["EXPERIMENT", "log_drift", "options_as_params"]

EXPERIMENT = "monitoring"
KIND_TAG, VERSION_TAG = "ml_orchestrator.kind", "ml_orchestrator.model_version"


def log_drift(
    settings: Settings,
    report: DriftReport,
    page: str,
    pictures: Sequence[bytes],
    asked: Mapping[str, Any],
    *,
    model: str | None,
) -> str:
    """Log a report to the experiment ``monitoring`` and return the MLflow run.

    Its numbers are metrics, what was asked for parameters; page, JSON and pictures are its files.
    With a model, the run is tagged with its version, and the logged model behind that is the
    run's input.

    Raises:
        NotFoundError: no such model, alias or version.
        UnavailableError: MLflow cannot serve now.
    """
    tags, about = {KIND_TAG: "drift"}, None
    if model is not None:
        tags[VERSION_TAG], about = version_and_run(settings, model)
    numbers = numbers_of(report)
    files = {"drift.html": page.encode(), "drift.json": report.model_dump_json(indent=1).encode()}
    files |= {f"pictures/drift-{i}.png": content for i, content in enumerate(pictures, start=1)}
    return MlflowTracker(settings.mlflow_tracking_uri, settings.home).log_report(
        experiment=EXPERIMENT,
        params=asked,
        metrics=numbers.metrics,
        series=numbers.series,
        tags=tags,
        artifacts=files,
        about_run=about,
    )


def options_as_params(options: DriftOptions) -> dict[str, Any]:
    """Return what a comparison was asked for, without what was left open."""
    found = {
        "test": options.test,
        "alpha": options.alpha,
        "correction": options.correction,
        "share_threshold": options.share_threshold,
        "together": options.together,
        "time_column": options.time_column,
        "chunk": options.chunk,
        "columns": None if options.columns is None else ", ".join(options.columns),
    }
    return {name: value for name, value in found.items() if value is not None}
