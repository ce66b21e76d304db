"""Which plans this release carries out, and what is said of those that it does not."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.workflows import Workflow
from ml_orchestrator.program import program

__all__ = ["PLAN_VERSION", "check_workflow_version", "foreign_version"]

# The form of a stored plan. A worker runs the plans of its own version only.
PLAN_VERSION = "1"


def check_workflow_version(plan: Mapping[str, Any], workflow: Workflow) -> None:
    """Refuse a run of a built-in workflow that another release planned otherwise.

    Raises:
        StepFailedError: the workflow has another version now; the message says what to do.
    """
    planned = plan.get("version", 1)  # releases without versions had the first
    if planned == workflow.version:
        return
    way = "Start it anew."
    if planned > workflow.version:  # a server was upgraded, and its worker was there before
        way = (
            f"The worker is of an earlier release than who planned it: {program()} worker "
            "restart; then start it anew."
        )
    raise StepFailedError(
        f"The run was planned with version {planned} of the workflow {workflow.name!r}; this "
        f"release has version {workflow.version}. Nothing more is done of it. {way}",
        is_final=True,
    )


def foreign_version(version: str | None) -> str | None:
    """Return what is said of a run whose plan no worker of this release takes; None if one does."""
    if version in (None, PLAN_VERSION):
        return None
    return (
        f"The run was planned by another release (plans of version {version}); workers of this one "
        f"take version {PLAN_VERSION}. Start it anew, or let that release finish it."
    )
