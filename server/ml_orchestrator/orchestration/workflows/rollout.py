"""The workflow that carries a recorded roll-out out."""

from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Workflow

__all__ = ["ROLL_OUT", "RollOutParams", "carry_out"]


class RollOutParams(BaseModel):
    """Which one; everything else is on record."""

    model_config = ConfigDict(extra="forbid")

    rollout_id: Annotated[str, Field(min_length=1, max_length=64)]


ROLL_OUT = WORKFLOWS.register("roll-out")(
    Workflow(
        name="roll-out",
        description="Bring a version before users step by step, and back if it is worse.",
        params=RollOutParams,
        nodes=(Node("roll_out"),),
        queue="rollouts",
        stopped_by="deployment_decide",
        is_internal=True,
    )
)


class _Starter(Protocol):
    def start(
        self, run_id: str, workflow: Workflow, params: dict[str, Any], *, actor: str
    ) -> RunStatus:
        """Queue a run, or return the one of this id."""
        ...


def carry_out(
    client: _Starter, rollout_id: str, *, actor: str, attempt: int | str = 1
) -> RunStatus:
    """Start the run that carries a recorded roll-out out, or return the one of this attempt."""
    params = {"rollout_id": rollout_id}
    return client.start(f"{rollout_id}-{attempt}", ROLL_OUT, params, actor=actor)
