"""How a handler gets its service: by the type of a parameter the caller never sees."""

from typing import Annotated, TypeAlias

from mcp.server.mcpserver import Context, Resolve

from ml_orchestrator.services import (
    CollaborationService,
    DeploymentPipelineService,
    MonitoringCoordinator,
    Services,
    WorkflowOrchestrator,
)
from ml_orchestrator.text import clean

__all__ = ["ClientSession", "Collaboration", "Deployment", "Monitoring", "Workflow"]


def _collaboration(ctx: Context[Services]) -> CollaborationService:
    return ctx.request_context.lifespan_context.collaboration


def _deployment(ctx: Context[Services]) -> DeploymentPipelineService:
    return ctx.request_context.lifespan_context.deployment


def _monitoring(ctx: Context[Services]) -> MonitoringCoordinator:
    return ctx.request_context.lifespan_context.monitoring


def _workflow(ctx: Context[Services]) -> WorkflowOrchestrator:
    return ctx.request_context.lifespan_context.workflow


def _client_session(ctx: Context[Services]) -> str:
    """Return the client's name and its session here, as provenance of what it stores."""
    params = ctx.session.client_params
    name = "client" if params is None else params.client_info.name
    headers = ctx.headers or {}
    session = headers.get("mcp-session-id") or getattr(ctx.mcp_server, "session_id", "")
    return clean(f"{name}/{session}").text[:80]


ClientSession: TypeAlias = Annotated[str, Resolve(_client_session)]
Collaboration: TypeAlias = Annotated[CollaborationService, Resolve(_collaboration)]
Deployment: TypeAlias = Annotated[DeploymentPipelineService, Resolve(_deployment)]
Monitoring: TypeAlias = Annotated[MonitoringCoordinator, Resolve(_monitoring)]
Workflow: TypeAlias = Annotated[WorkflowOrchestrator, Resolve(_workflow)]
