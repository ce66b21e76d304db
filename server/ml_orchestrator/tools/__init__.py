"""What a client sees: tools, resources, prompts and completions."""

from ml_orchestrator.tools import data as data
from ml_orchestrator.tools import deployment as deployment
from ml_orchestrator.tools import evaluation as evaluation
from ml_orchestrator.tools import health as health
from ml_orchestrator.tools import hooks as hooks
from ml_orchestrator.tools import improvement as improvement
from ml_orchestrator.tools import learning as learning
from ml_orchestrator.tools import memory as memory
from ml_orchestrator.tools import messaging as messaging
from ml_orchestrator.tools import monitors as monitors
from ml_orchestrator.tools import optimization as optimization
from ml_orchestrator.tools import registry as registry
from ml_orchestrator.tools import training as training
from ml_orchestrator.tools import workflow as workflow
from ml_orchestrator.tools._metering import add_metrics
from ml_orchestrator.tools._server import OrchestratorServer
from ml_orchestrator.tools._tool import TOOLS
from ml_orchestrator.tools.completions import add_completions
from ml_orchestrator.tools.prompts import add_prompts
from ml_orchestrator.tools.resources import add_resources, reader_of_changes
from ml_orchestrator.tools.watching import ResourceWatch

__all__ = [
    "TOOLS",
    "OrchestratorServer",
    "ResourceWatch",
    "add_completions",
    "add_metrics",
    "add_prompts",
    "add_resources",
    "reader_of_changes",
]
