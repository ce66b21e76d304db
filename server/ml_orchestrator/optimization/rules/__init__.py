"""Rules that make a prompt better: one per file, filed in `RULES` by name."""

from ml_orchestrator.optimization.rules.brevity import brevity
from ml_orchestrator.optimization.rules.clarity import clarity
from ml_orchestrator.optimization.rules.constraints import constraints
from ml_orchestrator.optimization.rules.context_placement import context_placement
from ml_orchestrator.optimization.rules.contract import (
    RULES,
    Edit,
    Finding,
    Rule,
    apply_edits,
    finding_of,
)
from ml_orchestrator.optimization.rules.data_safety import data_safety
from ml_orchestrator.optimization.rules.decomposition import decomposition
from ml_orchestrator.optimization.rules.examples import examples
from ml_orchestrator.optimization.rules.output_contract import output_contract
from ml_orchestrator.optimization.rules.role import role
from ml_orchestrator.optimization.rules.specificity import specificity
from ml_orchestrator.optimization.rules.step_by_step import step_by_step
from ml_orchestrator.optimization.rules.structure import structure
from ml_orchestrator.optimization.rules.success_criteria import success_criteria
from ml_orchestrator.optimization.rules.task import task
from ml_orchestrator.optimization.rules.uncertainty import uncertainty

__all__ = [
    "RULES",
    "Edit",
    "Finding",
    "Rule",
    "apply_edits",
    "brevity",
    "clarity",
    "constraints",
    "context_placement",
    "data_safety",
    "decomposition",
    "examples",
    "finding_of",
    "output_contract",
    "role",
    "specificity",
    "step_by_step",
    "structure",
    "success_criteria",
    "task",
    "uncertainty",
]
