"""Connectors: the parts of this system that can be swapped, in six tiers."""

from ml_orchestrator.orchestration.connectors.contract import TIERS, Connector, Cost
from ml_orchestrator.orchestration.connectors.plan import Plan
from ml_orchestrator.orchestration.connectors.slot import Slot

__all__ = ["TIERS", "Connector", "Cost", "Plan", "Slot"]
