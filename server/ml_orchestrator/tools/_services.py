"""How a handler gets its service: by the type of a parameter the caller never sees.

These are coroutine functions, because mcp 2.3 runs plain ones in a worker thread.
"""

import functools
from typing import Annotated, Any, TypeAlias

from mcp.server.elicitation import AcceptedElicitation
from mcp.server.mcpserver import Context, Resolve

from ml_orchestrator.services import (
    CollaborationService,
    DeploymentPipelineService,
    EvaluationService,
    LearningService,
    MonitoringCoordinator,
    PromptService,
    RolloutService,
    SecurityIntegrationService,
    Services,
    WorkflowOrchestrator,
)
from ml_orchestrator.text import clean

__all__ = [
    "ClientSession",
    "Collaboration",
    "Deployment",
    "Evaluation",
    "Learning",
    "Monitoring",
    "Prompts",
    "Rollouts",
    "Security",
    "Workflow",
]

# mcp 2.3 wraps each resolved parameter in this class. Pydantic forgets a class of this kind that
# nobody holds, and then makes it anew, at 0.3 ms a call.
_HELD = AcceptedElicitation[Any]


async def _collaboration(ctx: Context[Services]) -> CollaborationService:
    return ctx.request_context.lifespan_context.collaboration


async def _deployment(ctx: Context[Services]) -> DeploymentPipelineService:
    return ctx.request_context.lifespan_context.deployment


async def _evaluation(ctx: Context[Services]) -> EvaluationService:
    return ctx.request_context.lifespan_context.evaluation


async def _learning(ctx: Context[Services]) -> LearningService:
    return ctx.request_context.lifespan_context.learning


async def _monitoring(ctx: Context[Services]) -> MonitoringCoordinator:
    return ctx.request_context.lifespan_context.monitoring


async def _prompts(ctx: Context[Services]) -> PromptService:
    return ctx.request_context.lifespan_context.prompts


async def _rollouts(ctx: Context[Services]) -> RolloutService:
    return ctx.request_context.lifespan_context.rollouts


async def _security(ctx: Context[Services]) -> SecurityIntegrationService:
    return ctx.request_context.lifespan_context.security


async def _workflow(ctx: Context[Services]) -> WorkflowOrchestrator:
    return ctx.request_context.lifespan_context.workflow


async def _client_session(ctx: Context[Services]) -> str:
    """Return the client's name and its session here, as provenance of what it stores."""
    request = ctx.request_context
    params = request.session.client_params
    name = "client" if params is None else params.client_info.name
    headers = getattr(request.request, "headers", None) or {}
    session = headers.get("mcp-session-id") or getattr(ctx.mcp_server, "session_id", "")
    return _shown(f"{name}/{session}")


@functools.lru_cache(maxsize=64)  # the same with each call of a client
def _shown(session: str) -> str:
    return clean(session).text[:80]


ClientSession: TypeAlias = Annotated[str, Resolve(_client_session)]
Collaboration: TypeAlias = Annotated[CollaborationService, Resolve(_collaboration)]
Deployment: TypeAlias = Annotated[DeploymentPipelineService, Resolve(_deployment)]
Evaluation: TypeAlias = Annotated[EvaluationService, Resolve(_evaluation)]
Learning: TypeAlias = Annotated[LearningService, Resolve(_learning)]
Monitoring: TypeAlias = Annotated[MonitoringCoordinator, Resolve(_monitoring)]
Prompts: TypeAlias = Annotated[PromptService, Resolve(_prompts)]
Rollouts: TypeAlias = Annotated[RolloutService, Resolve(_rollouts)]
Security: TypeAlias = Annotated[SecurityIntegrationService, Resolve(_security)]
Workflow: TypeAlias = Annotated[WorkflowOrchestrator, Resolve(_workflow)]
