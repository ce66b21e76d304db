"""The workflows: each family is a file of its own and one line here."""

from ml_orchestrator.orchestration.workflows._base import (
    WORKFLOWS,
    Node,
    Outputs,
    Workflow,
    validated,
)
from ml_orchestrator.orchestration.workflows.compression import CompressParams
from ml_orchestrator.orchestration.workflows.monitoring import (
    DriftRetrainOnAlertParams,
    LookParams,
    TrainOnAlertParams,
)
from ml_orchestrator.orchestration.workflows.prompts import OptimizeRulesParams
from ml_orchestrator.orchestration.workflows.rollout import ROLL_OUT, RollOutParams, carry_out
from ml_orchestrator.orchestration.workflows.training import DriftRetrainParams, TrainParams

__all__ = [
    "ROLL_OUT",
    "WORKFLOWS",
    "CompressParams",
    "DriftRetrainOnAlertParams",
    "DriftRetrainParams",
    "LookParams",
    "Node",
    "OptimizeRulesParams",
    "Outputs",
    "RollOutParams",
    "TrainOnAlertParams",
    "TrainParams",
    "Workflow",
    "carry_out",
    "validated",
]
