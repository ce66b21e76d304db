"""Rules that make a prompt better: one per file, filed in `RULES` by name."""

from ml_orchestrator.optimization.rules.brevity import brevity
from ml_orchestrator.optimization.rules.clarity import clarity
from ml_orchestrator.optimization.rules.contract import RULES, Edit, Finding, Rule, apply_edits
from ml_orchestrator.optimization.rules.output_contract import output_contract
from ml_orchestrator.optimization.rules.uncertainty import uncertainty

__all__ = [
    "RULES",
    "Edit",
    "Finding",
    "Rule",
    "apply_edits",
    "brevity",
    "clarity",
    "output_contract",
    "uncertainty",
]
