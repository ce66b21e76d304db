"""Asking the person at the client to approve a plan, where the client can ask them.

A client that cannot, or a person who closes the question, leaves the approval pending: then the
call is refused with the command that decides it in a terminal.
"""

from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias

from mcp.server.mcpserver import (
    AcceptedElicitation,
    CancelledElicitation,
    Context,
    Elicit,
    ElicitationResult,
    Resolve,
)
from pydantic import BaseModel, Field

from ml_orchestrator.errors import ConflictError, OrchestratorError
from ml_orchestrator.identity import person
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.services import SecurityIntegrationService, Services
from ml_orchestrator.serving.rollout.models import Choice
from ml_orchestrator.tools._services import Deployment, Rollouts, Security

__all__ = [
    "MoveApproval",
    "MoveVerdict",
    "RolloutApproval",
    "RolloutVerdict",
    "RunApproval",
    "RunVerdict",
    "Verdict",
    "settle_run",
    "was_asked",
    "write_down",
]


class Verdict(BaseModel):
    """What a person answers."""

    approve: Annotated[bool, Field(description="Approve exactly this plan?")]
    reason: Annotated[str, Field(max_length=500, description="Why (optional).")] = ""


def question(approval: Approval, context: Context[Services]) -> "Elicit[Verdict] | None":
    """Return the question to put to the person; None if there is none or nobody can be asked."""
    if approval.state != "pending" or not _can_ask(context):
        return None
    return Elicit(
        f"{approval.requested_by} asks for your approval (plan {approval.digest[:12]}): "
        f"{approval.summary}",
        Verdict,
    )


def was_asked(answer: "ElicitationResult[Verdict]") -> bool:
    """Say whether anybody was asked; a resolver without a question accepts with nothing."""
    return not isinstance(answer, AcceptedElicitation) or answer.data is not None


async def write_down(
    approval: Approval,
    answer: "ElicitationResult[Verdict]",
    *,
    security: SecurityIntegrationService,
    context: Context[Services],
) -> None:
    """Keep what the person said; a question that was closed leaves the approval pending."""
    if isinstance(answer, CancelledElicitation):
        return
    verdict = answer.data if isinstance(answer, AcceptedElicitation) else Verdict(approve=False)
    await security.decide(
        approval.id,
        "approved" if verdict.approve else "rejected",
        decided_by=f"{person()}, asked by {_client_name(context)}",
        via="elicitation",
        reason=verdict.reason or None,
    )


async def _move_approval(  # the arguments of registry_move_alias, by name
    deployment: Deployment,
    agent: str,
    model: str,
    alias: str,
    version: int | Literal["previous"] | None,
    expected_version: int | None,
    reason: str,
    evidence: str | None,
    dry_run: bool,
    plan_digest: str | None,
    idempotency_key: str | None,
) -> Approval | None:
    """Return the approval that a move of an alias needs; None if none, or it fails anyway."""
    asked: dict[str, Any] = {
        "model": model,
        "alias": alias.removeprefix("@"),
        "version": version,
        "expected_version": expected_version,
        "reason": reason,
        "evidence": evidence,
        "idempotency_key": idempotency_key,
    }
    if dry_run:
        return None
    try:
        approval = await deployment.ask_approval(actor=agent, **asked)
    except OrchestratorError:  # the move itself will say it
        return None
    is_reviewed = approval is not None and plan_digest in {None, approval.digest}
    return approval if is_reviewed else None


MoveApproval: TypeAlias = Annotated[Approval | None, Resolve(_move_approval)]


async def _move_verdict(
    approval: MoveApproval, context: Context[Services]
) -> Elicit[Verdict] | None:
    return None if approval is None else question(approval, context)


MoveVerdict: TypeAlias = Annotated[ElicitationResult[Verdict], Resolve(_move_verdict)]


async def _rollout_approval(  # the arguments of deployment_decide, by name
    rollouts: Rollouts,
    agent: str,
    rollout_id: str,
    choice: Choice,
    idempotency_key: str | None,
) -> Approval | None:
    """Return the approval that a decision needs; None if none, or it fails anyway."""
    try:
        return await rollouts.ask_approval(
            rollout_id, choice, actor=agent, idempotency_key=idempotency_key
        )
    except OrchestratorError:  # the decision itself will say it
        return None


RolloutApproval: TypeAlias = Annotated[Approval | None, Resolve(_rollout_approval)]


async def _rollout_verdict(
    approval: RolloutApproval, context: Context[Services]
) -> Elicit[Verdict] | None:
    return None if approval is None else question(approval, context)


RolloutVerdict: TypeAlias = Annotated[ElicitationResult[Verdict], Resolve(_rollout_verdict)]


async def _run_approval(security: Security, run_id: str, wait_s: float) -> Approval | None:
    """Return what a run that is waited for asks of a person; None if nothing."""
    try:
        return await security.asked_by_run(run_id) if wait_s else None
    except OrchestratorError:  # the status itself will say it
        return None


RunApproval: TypeAlias = Annotated[Approval | None, Resolve(_run_approval)]


async def _run_verdict(approval: RunApproval, context: Context[Services]) -> Elicit[Verdict] | None:
    return None if approval is None else question(approval, context)


RunVerdict: TypeAlias = Annotated[ElicitationResult[Verdict], Resolve(_run_verdict)]


async def settle_run(
    approval: Approval | None,
    answer: "ElicitationResult[Verdict]",
    *,
    security: SecurityIntegrationService,
    context: Context[Services],
) -> None:
    """Keep what the person said of a step of a run; who closed the question is not asked again."""
    if approval is None or not was_asked(answer):
        return
    if isinstance(answer, CancelledElicitation):
        security.leave_open(approval.id)
        return
    with suppress(ConflictError):  # it was decided elsewhere meanwhile, and the status says so
        await write_down(approval, answer, security=security, context=context)


def _can_ask(context: Context[Services]) -> bool:
    capabilities = context.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    if asks is None or (asks.form is None and asks.url is not None):
        return False
    is_stateless_era = (context.protocol_version or "") >= "2026-07-28"
    return is_stateless_era or context.session.can_send_request


def _client_name(context: Context[Services]) -> str:
    params = context.session.client_params
    return params.client_info.name[:80] if params is not None else "the client"
