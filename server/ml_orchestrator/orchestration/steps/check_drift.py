"""Compare two data sets, as a step of a pipeline."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps.drift import compare

__all__ = ["check_drift"]


def check_drift(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return whether ``current`` drifted from ``reference``, which columns did, and a summary."""
    found: dict[str, Any] = compare(context, {**params, "source": params["current"]}, {})["drift"]
    return found
