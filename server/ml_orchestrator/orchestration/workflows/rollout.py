"""The workflow that carries a recorded roll-out out."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ml_orchestrator.orchestration.workflows._base import WORKFLOWS, Node, Workflow

__all__ = ["ROLL_OUT", "RollOutParams"]


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
    )
)
