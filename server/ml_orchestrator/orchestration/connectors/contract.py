"""What a connector is: a part that can be swapped, its place, and how to build and probe it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from ml_orchestrator.health.status import Kind
from ml_orchestrator.settings import Settings

__all__ = ["TIERS", "Connector", "Cost", "operations"]

T = TypeVar("T")
_FOR_US = ("close", "describe")  # methods that components have in common
TIERS = {
    1: "core ML",
    2: "optimisation and learning",
    3: "evaluation and analysis",
    4: "performance and monitoring",
    5: "infrastructure",
    6: "security",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What loading a part took in this process, what it imports included.

    ``load_ms`` is the time until it was there, ``memory_mb`` what the process grew by meanwhile
    (None where the system does not tell).
    What is shared is counted to whoever loads it first.
    """

    load_ms: float
    memory_mb: float | None


def operations(part: object) -> list[str]:
    """Return the names of what can be asked of a part: its public methods.

    >>> operations("")[:3]
    ['capitalize', 'casefold', 'center']
    """
    kind = type(part)
    names = (name for name in dir(kind) if not name.startswith("_") and name not in _FOR_US)
    return sorted(name for name in names if callable(getattr(kind, name)))


@dataclass(frozen=True)
class Connector(Generic[T]):
    """One part: it is built on first use, and again when its configuration changes.

    Args:
        name: as in messages and in components.json.
        tier: 1 to 6, see ``TIERS``.
        build: makes the part; it may import large libraries.
        probe: uses the part and returns one line about what it saw, or raises.
        requires: names of what ``build`` needs; they are built anew before it.
        takes: settings that it may be configured by.
        distribution: the package whose release is its version; ours if None.
        capabilities: what it can do, as names; asked once it is built. Its methods, if not given.
        close: gives back what the part holds, once nobody uses it any more.
        is_light: ``build`` imports nothing large.
    """

    name: str
    tier: int
    build: Callable[[Settings], T]
    probe: Callable[[T], str]
    requires: tuple[str, ...] = ()
    kind: Kind = "component"
    takes: tuple[str, ...] = ()
    distribution: str | None = None
    capabilities: Callable[[T], Sequence[str]] = operations
    close: Callable[[T], None] = lambda _: None
    is_light: bool = False

    def schema(self) -> type[BaseModel]:
        """Return the model of its configuration: the settings it takes, all of them optional."""
        fields: dict[str, Any] = {}
        for name in self.takes:
            field = Settings.model_fields[name]
            about = Field(default=field.default, description=field.description)
            fields[name] = (field.rebuild_annotation(), about)
        config = ConfigDict(extra="forbid", frozen=True)
        return create_model(f"Configuration of {self.name}", __config__=config, **fields)
