"""Checks before a run is queued: what could only fail is refused while the caller listens."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import check

__all__ = ["check_training"]


def check_training(settings: Settings, params: Mapping[str, Any]) -> None:
    """Raise what the training would raise at its start; nothing is written.

    Raises:
        InvalidInputError: the data, the target, a trainer or the metric cannot be used.
        NotFoundError: a data set does not exist.
    """
    spec = TrainingSpec.model_validate({name: params[name] for name in TrainingSpec.model_fields})
    for source in filter(None, (params.get("reference"), spec.source)):
        dataset = load_dataset(source, roots=settings.roots, max_bytes=settings.max_data_bytes)
    check(spec, dataset)
