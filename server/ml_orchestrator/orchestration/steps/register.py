"""Log a trained model to MLflow and register it as a new version with its manifest."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.lifecycle.models import LoggedModel
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps._trained import SavedModel, load_trained
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.registry.leaks import leak_tags
from ml_orchestrator.training.models import SUMMARY_FILE, TrainingSummary

__all__ = ["register", "register_from"]


def register(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return model, version, MLflow run and manifest digest; done twice, it changes nothing.

    Tags among the inputs are written to the version.
    """
    return register_from(context, params, context.folder, tags=inputs.get("tags", {}))


def register_from(
    context: StepContext,
    params: Mapping[str, Any],
    folder: Path,
    *,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Register what a search left in ``folder``."""
    context.report(0.0, "logging the model to MLflow")
    saved = load_trained(folder, trusted_types(context.settings))
    logged = _log(context, params, saved)
    context.report(0.6, "registering the version")
    tags = {
        **tags,
        **leak_tags(saved.summary.leakage_suspects),
        "ml_orchestrator.run_id": context.run_id,
        "ml_orchestrator.actor": context.actor,
    }
    with registry_for_a_step(context.settings) as desk:
        version = desk.vault.register(
            params["model"], source_uri=logged.source_uri, run_id=logged.run_id, tags=tags
        )
    return {
        "model": version.model,
        "version": version.version,
        "mlflow_run_id": logged.run_id,
        "manifest_digest": version.manifest_digest,
    }


def _log(context: StepContext, params: Mapping[str, Any], saved: SavedModel) -> LoggedModel:
    tracker = MlflowTracker(context.settings.mlflow_tracking_uri, context.settings.home)
    return tracker.log_trained_model(
        orchestrator_run_id=context.effect_id,
        experiment=params["model"],
        model_name=params["model"],
        params={**params, "trainer": saved.summary.trainer, **_prefixed(saved.summary.params)},
        metrics=_metrics(saved.summary),
        tags={
            "ml_orchestrator.actor": context.actor,
            "ml_orchestrator.dataset_sha256": saved.summary.dataset_digest,
        },
        artifacts={
            SUMMARY_FILE: saved.summary.model_dump_json(indent=2).encode(),
            "model_card.md": saved.card.encode(),
            **{f"plots/{name}.png": picture for name, picture in saved.plots.items()},
            **saved.extras,
        },
        model=saved.pipeline,
        input_example=saved.input_example,
        predictions=saved.pipeline.predict(saved.input_example),
        pip_requirements=saved.pip_requirements,
        trusted_types=trusted_types(context.settings),
        may_miss=list(saved.input_example.columns),  # the pipeline fills in what is missing
    )


def _prefixed(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    return {f"hp.{name}": value for name, value in hyperparameters.items()}


def _metrics(summary: TrainingSummary) -> dict[str, float]:
    metrics = {f"cv_{summary.metric}": summary.cv_score}
    for name, interval in summary.holdout.items():
        metrics[f"holdout_{name}"] = interval.estimate
        metrics[f"holdout_{name}_low"] = interval.low
        metrics[f"holdout_{name}_high"] = interval.high
    return metrics | {f"baseline_{name}": value for name, value in summary.baseline.items()}
