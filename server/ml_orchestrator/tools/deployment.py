"""Deployment tools."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from ml_orchestrator.services import Services
from ml_orchestrator.serving.rollout.models import RolloutPlanned, RolloutStatus
from ml_orchestrator.tools._approvals import (
    RolloutApproval,
    RolloutVerdict,
    was_asked,
    write_down,
)
from ml_orchestrator.tools._arguments import Agent, IdempotencyKey, ModelName, WaitS
from ml_orchestrator.tools._progress import rollout_progress_to
from ml_orchestrator.tools._services import Rollouts, Security
from ml_orchestrator.tools._tool import tool

__all__ = ["deployment_decide", "deployment_start", "deployment_status"]

Reason = Annotated[str, Field(min_length=3, max_length=2_000, description="Why; kept.")]


@tool(title="Roll a version out", destroys=True)
async def deployment_start(
    agent: Agent,
    model: ModelName,
    version: Annotated[int, Field(ge=1, description="To roll out.")],
    expected_version: Annotated[
        int | None, Field(ge=1, description="Where the alias is now; null: unset.")
    ],
    reason: Reason,
    rollouts: Rollouts,
    alias: Annotated[
        str, Field(min_length=1, max_length=64, description="Moved at the switch.")
    ] = "champion",
    spec: Annotated[
        dict[str, Any],
        Field(
            description="strategy: blue_green (default), canary, shadow, all_at_once; canary's "
            "steps [{percent, pause_s}] to 100; shadow_s; bake_s; gates [{metric, "
            "succeeds_at_most, fails_above, ...}]; approval: before_promotion. dry_run shows all."
        ),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    dry_run: Annotated[bool, Field(description="Only return plan and digest.")] = False,
    plan_digest: Annotated[
        str | None, Field(max_length=64, description="Of the reviewed plan.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> RolloutPlanned:
    """Bring a version before users on the model's server, and back by itself if it is worse.

    By gates on errors, latency, drift, task loss; undecided pauses. Follow with
    deployment_status.
    """
    return await rollouts.start(
        model,
        version,
        alias=alias.removeprefix("@"),
        expected_version=expected_version,
        spec=spec,
        actor=agent,
        reason=reason,
        dry_run=dry_run,
        plan_digest=plan_digest,
        idempotency_key=idempotency_key,
    )


@tool(title="Follow a roll-out", reads_only=True)
async def deployment_status(
    rollout: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            description="rollout_id; or a model: its newest.",
        ),
    ],
    rollouts: Rollouts,
    ctx: Context[Services],
    wait_s: WaitS = 0,
) -> RolloutStatus:
    """Return a roll-out's state, gates with their numbers, and history.

    A wait ends early if somebody is needed.
    """
    return await rollouts.status(rollout, wait_s=wait_s, on_progress=rollout_progress_to(ctx))


@tool(title="Decide on a roll-out", destroys=True)
async def deployment_decide(
    agent: Agent,
    rollout_id: Annotated[str, Field(min_length=1, max_length=64, description="Which one.")],
    choice: Annotated[
        Literal["pause", "resume", "abort", "rollback", "promote"],
        Field(
            description="resume: measures anew; abort, rollback: the old version answers; promote: "
            "leaves out the rest."
        ),
    ],
    reason: Reason,
    rollouts: Rollouts,
    security: Security,
    approval: RolloutApproval,
    verdict: RolloutVerdict,
    context: Context[Services],
    idempotency_key: IdempotencyKey = None,
) -> RolloutStatus:
    """Pause, resume, abort, roll back or promote a running roll-out.

    Promotion past a gate not passed, or of a switch that waits, needs a person: they are asked,
    or the error says how.
    """
    if approval is not None and was_asked(verdict):
        await write_down(approval, verdict, security=security, context=context)
    return await rollouts.decide(
        rollout_id, choice, actor=agent, reason=reason, idempotency_key=idempotency_key
    )
