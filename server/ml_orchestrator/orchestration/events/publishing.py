"""How a service publishes an event that is a transaction of its own."""

from typing import Protocol

from ml_orchestrator.orchestration.events.definition import Event

__all__ = ["Publish", "nobody"]


class Publish(Protocol):
    """Publishes an event; it may block, and does not fail for want of a listener."""

    def __call__(self, event: Event, id: str | None = None) -> object:
        """Publish it, once for each id."""
        ...


def nobody(event: Event, id: str | None = None) -> None:
    """Publish nothing: where a service is used without a state database."""
