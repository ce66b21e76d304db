"""What is said of a run, from what the workflow database holds."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ml_orchestrator.orchestration.statuses import run_status
from ml_orchestrator.orchestration.versions import PLAN_VERSION

PLAN = {
    "workflow": "tiny",
    "params": {},
    "actor": "tester",
    "steps": ["a", "b", "c"],
    "requested_at": "2026-01-01T00:00:00.000000+00:00",
}


class _StoredError(Exception):
    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass
class _Row:
    status: str
    error: Exception | None = None
    output: Any = None
    workflow_id: str = "run-1"
    updated_at: int | None = 1_767_225_660_000  # a minute after requested_at
    app_version: str | None = PLAN_VERSION
    input: Any = field(default_factory=lambda: {"args": (PLAN,), "kwargs": {}})


def _finished(name: str) -> dict[str, Any]:
    return {
        "function_name": name,
        "output": {"by": name},
        "error": None,
        "started_at_epoch_ms": 1_767_225_600_500,
        "completed_at_epoch_ms": 1_767_225_602_000,
    }


@pytest.mark.parametrize(
    ("stored", "state", "steps"),
    [
        ("ENQUEUED", "queued", ["succeeded", "pending", "pending"]),
        ("PENDING", "running", ["succeeded", "running", "pending"]),
        ("CANCELLED", "cancelled", ["succeeded", "cancelled", "skipped"]),
        ("ERROR", "failed", ["succeeded", "skipped", "skipped"]),
        ("SUCCESS", "succeeded", ["succeeded", "skipped", "skipped"]),
    ],
)
def test_unfinished_steps_follow_from_the_state_of_the_run(
    stored: str, state: str, steps: list[str]
) -> None:
    status = run_status(_Row(stored), [_finished("a")])

    assert (status.state, [step.state for step in status.steps]) == (state, steps)
    assert status.steps[0].started_at == "2026-01-01T00:00:00.500000+00:00"
    assert status.steps[0].seconds == 1.5
    assert status.updated_at == "2026-01-01T00:01:00.000000+00:00"


@pytest.mark.parametrize(
    ("stored", "error", "shown"),
    [
        ("ERROR", _StoredError("NotFoundError", "No step 'x'."), "No step 'x'."),
        ("ERROR", _StoredError("KeyError", "secret"), "The run failed unexpectedly."),
        ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", None, "taken over too often"),
    ],
)
def test_only_our_own_errors_are_quoted(stored: str, error: Exception | None, shown: str) -> None:
    status = run_status(_Row(stored, error), [])

    assert status.state == "failed"
    assert shown in str(status.error)
    assert "secret" not in str(status.error)


@pytest.mark.parametrize(("stored", "state"), [("ENQUEUED", "queued"), ("CANCELLED", "cancelled")])
def test_a_run_that_another_release_planned_says_so(stored: str, state: str) -> None:
    status = run_status(_Row(stored, app_version="0"), [])

    assert status.state == state
    assert "plans of version 0" in str(status.error)
    assert "Start it anew" in str(status.error)
