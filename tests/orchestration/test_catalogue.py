"""Contracts that every registered step and workflow keeps."""

import pytest

from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.workflows import WORKFLOWS


@pytest.mark.parametrize("name", list(STEPS))
def test_the_function_of_every_step_can_be_imported(name: str) -> None:
    assert callable(STEPS[name].load())


@pytest.mark.parametrize("name", list(WORKFLOWS))
def test_every_workflow_is_made_of_known_steps_each_once(name: str) -> None:
    workflow = WORKFLOWS[name]
    steps = [node.step for node in workflow.nodes]
    assert workflow.name == name
    assert len(set(steps)) == len(steps)
    assert set(steps) <= set(STEPS)
