"""What the terminal says of a run's steps."""

from ml_orchestrator.orchestration.models import NodeStatus, RunStatus, StepStatus
from ml_orchestrator.orchestration.pipelines.executing import failed
from ml_orchestrator.orchestration.pipelines.settling import Settled
from ml_orchestrator.running import _text


def test_a_step_that_was_answered_from_the_cache_and_what_a_run_waits_for_are_said() -> None:
    node = NodeStatus(uses="profile", needs=[], cached_from="run-1")
    status = RunStatus(
        run_id="run-2",
        workflow="pipeline:p",
        state="queued",
        actor="ann",
        created_at="2026-01-01",
        updated_at="2026-01-01",
        steps=[StepStatus(name="look", state="succeeded", node=node)],
        notices=("The run waits for the worker of an earlier release to leave.",),
    )
    lines = [line.strip() for line in _text(status).splitlines()]

    assert "The run waits for the worker of an earlier release to leave." in lines
    assert "answered from the cache, with what run-1 gave" in lines


def test_a_step_is_named_once_in_why_it_failed() -> None:
    said = "Step 'flaky' failed unexpectedly. The traceback is in logs/worker.log."
    assert failed({"flaky": Settled("failed", error=said)}) == said
    assert failed({"flaky": Settled("failed", error="Why.")}) == "Step 'flaky' failed: Why."
