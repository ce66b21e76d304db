"""Search for a model, tune it and score it on rows the search never saw."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps._trained import save_trained
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import train

__all__ = ["search"]


def search(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Train and leave the model in the run's folder; goes on with a study it finds there."""
    spec = TrainingSpec.model_validate({name: params[name] for name in TrainingSpec.model_fields})
    settings = context.settings
    dataset = load_dataset(spec.source, roots=settings.roots, max_bytes=settings.max_data_bytes)
    trained = train(spec, dataset, study_dir=context.folder / "study", report=context.report)
    save_trained(context.folder, trained)
    return {"summary": trained.summary.model_dump(mode="json")}
