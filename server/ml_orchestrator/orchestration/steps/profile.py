"""Describe a data set, for conditions and requirements of later steps."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.orchestration.samples import SampleReader
from ml_orchestrator.orchestration.steps._base import StepContext

__all__ = ["profile"]


def profile(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return counts, the kind of problem, the content's digest and what to look at."""
    dataset = SampleReader(context.settings).dataset(params["source"], params["column_types"])
    found = profile_dataset(dataset, params["target"] or dataset.default_target)
    return {
        "n_rows": found.n_rows,
        "n_columns": found.n_columns,
        "duplicate_rows": found.duplicate_rows,
        "target": found.target,
        "task": found.suggested_task,
        "digest": found.digest,
        "n_leakage_suspects": len(found.leakage_suspects),
        "warnings": list(found.warnings),
    }
