"""A run's status for tests of what is said of it."""

from typing import Any

from ml_orchestrator.orchestration.models import RunStatus

__all__ = ["run_status"]


def run_status(**fields: Any) -> RunStatus:
    """Return a status of no run that ever was, with these fields."""
    usual: dict[str, Any] = {
        "run_id": "run-1",
        "workflow": "pipeline:random",
        "state": "running",
        "actor": "tester",
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
        "steps": [],
    }
    return RunStatus.model_validate({**usual, **fields})
