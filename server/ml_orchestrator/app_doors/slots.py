"""The slots of one server."""

from typing import Any, TypeVar

from ml_orchestrator.orchestration.connectors import Connector, Plan, Slot
from ml_orchestrator.settings import Settings

__all__ = ["Slots"]

T = TypeVar("T")


class Slots:
    """Every part that can be swapped, in a slot ``by_name`` of its component.

    What a part needs is added before it.
    """

    def __init__(self, settings: Settings) -> None:
        self.by_name: dict[str, Slot[Any]] = {}
        self._settings = settings
        self._plan = Plan(settings.home)

    def add(self, connector: Connector[T]) -> Slot[T]:
        """Make the slot of a part; the part itself is built on first use."""
        needs = {n: self.by_name[n] for n in connector.requires if n in self.by_name}
        slot = Slot(connector, self._settings, self._plan, needs=needs)
        self.by_name[connector.name] = slot
        return slot

    def close(self) -> None:
        """Give back what was opened, what needs something before what it needs."""
        for slot in reversed(self.by_name.values()):
            slot.close()
