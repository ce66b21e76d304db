"""The components of one server in their six tiers: slots, what other packages add, services."""

from collections.abc import Iterator, Mapping
from functools import partial
from inspect import getmembers, iscoroutinefunction
from typing import Any

from ml_orchestrator import __version__, services
from ml_orchestrator.doors import import_alone
from ml_orchestrator.extensions import KINDS, Extension, found
from ml_orchestrator.orchestration.connectors import Slot
from ml_orchestrator.orchestration.connectors.contract import operations
from ml_orchestrator.orchestration.connectors.describing import described, described_extension
from ml_orchestrator.services import SecurityIntegrationService
from ml_orchestrator.services.components import Component
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.home import describe_directory

__all__ = ["components_of", "extension_components"]

SERVICES: dict[str, tuple[int, tuple[str, ...]]] = {
    "WorkflowOrchestrator": (5, ("workflow-runs", "state-database")),
    "RolloutService": (5, ("workflow-runs", "model-registry", "state-database")),
    "DeploymentPipelineService": (1, ("model-registry", "signing-key")),
    "CollaborationService": (2, ("memory", "messages")),
    "LearningService": (2, ("learning",)),
    "PromptService": (2, ("prompt-rules",)),
    "EvaluationService": (3, ("pattern-discovery", "experiments")),
    "MonitoringCoordinator": (4, ("drift-tests", "data-directory")),
    "SecurityIntegrationService": (6, ("rights", "signing-key")),
}


def components_of(
    settings: Settings, slots: Mapping[str, Slot[Any]], security: SecurityIntegrationService
) -> list[Component]:
    """List the components that ship, each with a probe that really uses it."""
    return [
        Component(
            "data-directory",
            5,
            lambda: describe_directory(settings.home),
            kind="store",
            detail=lambda: {"version": __version__},
        ),
        Component(
            "rights",
            6,
            security.describe,
            detail=lambda: {"version": __version__, "capabilities": operations(security)},
        ),
        *map(_in_slot, slots.values()),
        *(_service(name, tier, requires) for name, (tier, requires) in SERVICES.items()),
    ]


def _service(name: str, tier: int, requires: tuple[str, ...]) -> Component:
    kind = getattr(services, name)
    offered = [each for each, _ in getmembers(kind, iscoroutinefunction) if each[0] != "_"]
    return Component(
        name,
        tier,
        None,
        requires=requires,
        kind="service",
        detail=lambda: {"version": __version__, "capabilities": offered},
    )


def _in_slot(slot: Slot[Any]) -> Component:
    connector = slot.connector
    return Component(
        name=connector.name,
        tier=connector.tier,
        probe=lambda: connector.probe(slot.for_a_probe()),
        is_open=lambda: slot.is_open,
        requires=connector.requires,
        kind=connector.kind,
        breaker=slot.breaker,
        fault=lambda: slot.fault,
        detail=partial(described, slot),
    )


def extension_components() -> Iterator[Component]:
    """Yield what other packages have added, by ``kind:name``; nothing of theirs is imported."""
    for name, extension in found().items():
        yield Component(
            name=name,
            tier=KINDS.get(extension.kind, 5),
            probe=partial(_probe, extension),
            is_open=partial(_is_loaded, extension),
            kind="extension",
            breaker=extension.breaker,
            counts_itself=True,
            fault=partial(_refusal, extension),
            detail=partial(described_extension, extension),
        )


def _probe(extension: Extension) -> str:
    probes = import_alone("ml_orchestrator.orchestration.probes")
    said: str = probes.probe_extension(extension.kind, extension.name)
    return f"{said}; of {extension.title}"


def _is_loaded(extension: Extension) -> bool:
    return extension.is_loaded


def _refusal(extension: Extension) -> str | None:
    return extension.refused
