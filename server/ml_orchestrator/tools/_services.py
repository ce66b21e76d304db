"""How a handler gets its service: by the type of a parameter the caller never sees."""

from typing import Annotated, TypeAlias

from mcp.server.mcpserver import Context, Resolve

from ml_orchestrator.services import (
    CollaborationService,
    DeploymentPipelineService,
    MonitoringCoordinator,
    RolloutService,
    SecurityIntegrationService,
    Services,
    WorkflowOrchestrator,
)

__all__ = ["Collaboration", "Deployment", "Monitoring", "Rollouts", "Security", "Workflow"]


def _collaboration(ctx: Context[Services]) -> CollaborationService:
    return ctx.request_context.lifespan_context.collaboration


def _deployment(ctx: Context[Services]) -> DeploymentPipelineService:
    return ctx.request_context.lifespan_context.deployment


def _monitoring(ctx: Context[Services]) -> MonitoringCoordinator:
    return ctx.request_context.lifespan_context.monitoring


def _rollouts(ctx: Context[Services]) -> RolloutService:
    return ctx.request_context.lifespan_context.rollouts


def _security(ctx: Context[Services]) -> SecurityIntegrationService:
    return ctx.request_context.lifespan_context.security


def _workflow(ctx: Context[Services]) -> WorkflowOrchestrator:
    return ctx.request_context.lifespan_context.workflow


Collaboration: TypeAlias = Annotated[CollaborationService, Resolve(_collaboration)]
Deployment: TypeAlias = Annotated[DeploymentPipelineService, Resolve(_deployment)]
Monitoring: TypeAlias = Annotated[MonitoringCoordinator, Resolve(_monitoring)]
Rollouts: TypeAlias = Annotated[RolloutService, Resolve(_rollouts)]
Security: TypeAlias = Annotated[SecurityIntegrationService, Resolve(_security)]
Workflow: TypeAlias = Annotated[WorkflowOrchestrator, Resolve(_workflow)]
