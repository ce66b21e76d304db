"""Runs live as the model says: no step lost, none done twice, whatever happens to the worker."""

from hypothesis import HealthCheck, settings
from tests.orchestration.run_states import RunStates

TestRunStates = RunStates.TestCase
TestRunStates.settings = settings(
    max_examples=3,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
