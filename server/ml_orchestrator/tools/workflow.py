"""Workflow tools."""

from functools import partial
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field, WithJsonSchema

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.services import Services
from ml_orchestrator.tools._approvals import RunApproval, RunVerdict, settle_run
from ml_orchestrator.tools._arguments import Agent, IdempotencyKey, RunId, WaitS
from ml_orchestrator.tools._images import with_pictures
from ml_orchestrator.tools._progress import progress_to
from ml_orchestrator.tools._services import Security, Workflow
from ml_orchestrator.tools._tool import tool

__all__ = ["workflow_run", "workflow_status"]


@tool(title="Run a workflow")
async def workflow_run(
    agent: Agent,
    workflow: Workflow,
    security: Security,
    name: Annotated[
        str | None,
        Field(
            description="train, drift-retrain (only if source drifted from reference), "
            "compress, optimize-rules, train-and-roll-out, a package's."
        ),
    ] = None,
    params: Annotated[
        dict[str, Any],
        Field(
            description="As of training_start; drift-retrain: and reference (data); "
            "compress: model, version, methods (distil, prune, onnx, quantise)."
        ),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    spec: Annotated[
        str | dict[str, Any] | None,
        WithJsonSchema({}),  # a shorter one, for the model
        Field(
            description="In place of name, a pipeline: YAML, object or path; see skill "
            "design-pipeline."
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> RunStatus:
    """Start a durable workflow, which survives this session; follow it with workflow_status."""
    if (name is None) == (spec is None):
        raise InvalidInputError("Give name, of a built-in workflow, or spec, of a pipeline.")
    may = partial(security.authorise, agent)
    if spec is not None:
        return await workflow.start_pipeline(
            spec, params, actor=agent, may=may, idempotency_key=idempotency_key
        )
    return await workflow.start_named(
        str(name), params, actor=agent, may=may, idempotency_key=idempotency_key
    )


@tool(title="Follow a workflow", reads_only=True)
async def workflow_status(
    run_id: RunId,
    workflow: Workflow,
    security: Security,
    approval: RunApproval,
    verdict: RunVerdict,
    ctx: Context[Services],
    wait_s: WaitS = 0,
    with_picture: Annotated[bool, Field(description="Add the graph.")] = False,
) -> Annotated[CallToolResult, RunStatus]:
    """Return a run's state, its steps with timing, output and error, and its result."""
    await settle_run(approval, verdict, security=security, context=ctx)
    status = await workflow.status(run_id, wait_s=wait_s, on_progress=progress_to(ctx))
    if not with_picture:
        return with_pictures(status)
    text, png = await workflow.draw(status)
    return with_pictures(status.model_copy(update={"picture": text}), png)
