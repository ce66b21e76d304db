"""Workflow tools."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.services import Services
from ml_orchestrator.tools._arguments import Agent, IdempotencyKey, RunId, WaitS
from ml_orchestrator.tools._progress import progress_to
from ml_orchestrator.tools._services import Workflow
from ml_orchestrator.tools._tool import tool

__all__ = ["workflow_run", "workflow_status"]


@tool(title="Run a workflow")
async def workflow_run(
    agent: Agent,
    name: Annotated[
        Literal["train", "drift-retrain"],
        Field(description="drift-retrain: train only if source drifted from reference."),
    ],
    params: Annotated[
        dict[str, Any],
        Field(description="As of training_start; drift-retrain: reference, a data set, too."),
    ],
    workflow: Workflow,
    idempotency_key: IdempotencyKey = None,
) -> RunStatus:
    """Start a durable workflow, which survives this session; follow it with workflow_status."""
    return await workflow.start(name, params, actor=agent, idempotency_key=idempotency_key)


@tool(title="Follow a workflow", reads_only=True)
async def workflow_status(
    run_id: RunId, workflow: Workflow, ctx: Context[Services], wait_s: WaitS = 0
) -> RunStatus:
    """Return a run's state, its steps with timing, output and error, and its result."""
    return await workflow.status(run_id, wait_s=wait_s, on_progress=progress_to(ctx))
