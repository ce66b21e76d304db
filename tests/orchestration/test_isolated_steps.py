"""What holds for a step in a process of its own."""

from pathlib import Path

import pytest
from tests.orchestration import tiny_workflows as tiny

from ml_orchestrator.orchestration.child import run_in_child
from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.settings import Settings


def _settings(home: Path) -> Settings:
    return Settings.read({}, home=home, project_dir=home, plugins=(tiny.__name__,))


async def test_an_answer_that_was_given_is_not_computed_again(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    ledger = tmp_path / "ledger"
    params = {"ledger": str(ledger), "gate": None}
    job = Job("run-1", "tiny", "tiny-gate", "tester", params, {"doubled": 2})

    outputs = [await run_in_child(settings, job) for _ in range(2)]

    assert outputs == [{"passed": 3}] * 2
    assert len(ledger.read_text().splitlines()) == 1


async def test_a_child_that_dies_without_an_answer_fails_its_step(tmp_path: Path) -> None:
    settings = _settings(tmp_path)

    with pytest.raises(StepFailedError, match=r"'tiny-die' ended without an answer \(signal 9\)"):
        await run_in_child(settings, Job("run-1", "tiny", "tiny-die", "tester", {}, {}))


async def test_a_step_that_can_go_on_is_started_again_when_it_was_killed(tmp_path: Path) -> None:
    job = Job("run-1", "tiny", "tiny-die-once", "tester", {}, {})

    assert await run_in_child(_settings(tmp_path), job) == {"went_on": True}
