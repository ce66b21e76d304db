"""Checks before a run is queued: what could only fail is refused while the caller listens."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.datasets.sources import Dataset, file_size_bytes, load_dataset, load_head
from ml_orchestrator.orchestration.foreign_trainers import refuse_untrusted
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.clusters import check_cluster
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import check, check_part

__all__ = ["check_training"]

LARGE_BYTES = 20_000_000  # from here on the whole takes seconds, and the caller waits
HEAD_ROWS = 100_000


def check_training(settings: Settings, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Raise what the training would raise at its start, or return its warnings there.

    They say which rows and columns are left out, among others. Nothing is written. Of a file
    above 20 MB only the first 100,000 rows are read, and only what they prove is refused; the run
    checks the rest, and warns at its end.

    Raises:
        InvalidInputError: the data, the target, a trainer or the metric cannot be used, or trials
            are to run on Ray, which is not installed.
        NotFoundError: a data set does not exist.
    """
    spec = TrainingSpec.model_validate({name: params[name] for name in TrainingSpec.model_fields})
    if settings.ray_address is not None:
        check_cluster(settings.ray_address)
    if reference := params.get("reference"):
        _load(settings, reference, spec.column_types)
    dataset = _load(settings, spec.source, spec.column_types)
    notices: tuple[str, ...] = ()
    if _is_large(settings, spec.source):
        check_part(spec, dataset)
    else:
        notices = check(spec, dataset)
    refuse_untrusted(settings, spec.trainers)
    return notices


def _load(settings: Settings, source: str, column_types: Mapping[str, ColumnType]) -> Dataset:
    roots = settings.roots
    if _is_large(settings, source):
        return load_head(source, roots=roots, n_rows=HEAD_ROWS, column_types=column_types)
    max_bytes = settings.max_data_bytes
    return load_dataset(source, roots=roots, max_bytes=max_bytes, column_types=column_types)


def _is_large(settings: Settings, source: str) -> bool:
    return file_size_bytes(source, roots=settings.roots) > LARGE_BYTES
