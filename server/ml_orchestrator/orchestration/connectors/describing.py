"""What is known of the part in a slot, as fields of its health."""

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from ml_orchestrator import __version__
from ml_orchestrator.extensions import Extension
from ml_orchestrator.orchestration.connectors.slot import Slot

__all__ = ["described", "described_extension"]


def described(slot: Slot[Any]) -> Mapping[str, Any]:
    """Return version, configuration and, once it is loaded, capabilities and what that took."""
    connector = slot.connector
    own = connector.distribution is None
    found: dict[str, Any] = {
        "version": __version__ if own else metadata.version(str(connector.distribution)),
        "configuration": slot.values,
        "generation": slot.generation,
    }
    if slot.is_open:
        found["capabilities"] = list(connector.capabilities(slot.for_a_probe()))
    if slot.cost is not None:
        found["load_ms"] = round(slot.cost.load_ms, 1)
        grew_mb = slot.cost.memory_mb
        found["memory_mb"] = None if grew_mb is None else round(grew_mb, 1)
    return found


def described_extension(extension: Extension) -> Mapping[str, Any]:
    """Return the release of an extension's package and what importing it took."""
    took_ms = extension.import_ms
    return {
        "version": extension.version,
        "capabilities": [extension.name] if extension.is_loaded else None,
        "load_ms": None if took_ms is None else round(took_ms, 1),
        "memory_mb": None if extension.grew_mb is None else round(extension.grew_mb, 1),
    }
