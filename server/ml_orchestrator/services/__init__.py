"""The services: the five of the design, memory and messages, roll-outs, prompts."""

from dataclasses import dataclass

from ml_orchestrator.services.collaboration import CollaborationService
from ml_orchestrator.services.components import ComponentManager
from ml_orchestrator.services.deployment import DeploymentPipelineService
from ml_orchestrator.services.evaluation import EvaluationService
from ml_orchestrator.services.learning import LearningService
from ml_orchestrator.services.monitoring import MonitoringCoordinator
from ml_orchestrator.services.prompts import PromptService
from ml_orchestrator.services.rollouts import RolloutService
from ml_orchestrator.services.security import SecurityIntegrationService
from ml_orchestrator.services.workflow import WorkflowOrchestrator

__all__ = [
    "CollaborationService",
    "ComponentManager",
    "DeploymentPipelineService",
    "EvaluationService",
    "LearningService",
    "MonitoringCoordinator",
    "PromptService",
    "RolloutService",
    "SecurityIntegrationService",
    "Services",
    "WorkflowOrchestrator",
]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a tool may call."""

    workflow: WorkflowOrchestrator
    components: ComponentManager
    security: SecurityIntegrationService
    deployment: DeploymentPipelineService
    rollouts: RolloutService
    monitoring: MonitoringCoordinator
    collaboration: CollaborationService
    evaluation: EvaluationService
    learning: LearningService
    prompts: PromptService
