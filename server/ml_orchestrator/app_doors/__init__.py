"""Every heavy thing of one server behind a door; the composition root makes the doors.

Each door opens on first use; ``Doors.warm`` opens ahead of time what the first calls need.
"""

import gc
import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.app_doors.engines import Engines
from ml_orchestrator.app_doors.slots import Slots
from ml_orchestrator.app_doors.stores import Stores
from ml_orchestrator.orchestration.connectors import Slot
from ml_orchestrator.orchestration.events.definition import Event
from ml_orchestrator.settings import Settings

__all__ = ["Doors"]

WARMING_SWITCH_S = 0.0002
_log = logging.getLogger(__name__)


class Doors:
    """Every part of one server behind a door of its own.

    What can be swapped is in a slot, by the name of its component.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = Slots(settings)
        self.stores = Stores(self._slots)
        self.engines = Engines(self._slots, self.stores.database)

    @property
    def slots(self) -> Mapping[str, Slot[Any]]:
        """What can be swapped, by the name of its component."""
        return self._slots.by_name

    def warm(self, ended: threading.Event) -> None:
        """Open, lightest first, what the first calls are likely to need, until ``ended``.

        Calls answered meanwhile must not feel it: threads that wait for the interpreter get it
        back soon, and the collector does not walk through thousands of new modules each time.
        """
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(WARMING_SWITCH_S)
        gc.disable()
        try:
            self._open_all(ended)
        finally:
            gc.freeze()
            gc.enable()
            sys.setswitchinterval(usual_s)

    def _open_all(self, ended: threading.Event) -> None:
        stores = self.stores
        first = (stores.memory, stores.mailbox, stores.bus, stores.progress)
        for door in (*first, stores.registry, stores.runs):
            if ended.is_set():
                return
            try:
                door()
            except Exception:  # noqa: BLE001 the call that needs it will say what is wrong
                # An import that the end of the process cut off is nobody's fault.
                if not ended.is_set():
                    _log.warning("Could not prepare %s ahead of its first use", door, exc_info=True)

    def keep_worker(self, ended: threading.Event) -> None:
        """See to it, until ``ended``, that a worker runs while there are runs or schedules."""
        from ml_orchestrator.orchestration.keeping import keep_worker

        if self._settings.mode == "read-only":
            return
        # A look says nothing of calls that crash: it spends no trial, nor ends their row.
        runs = self.stores.runs.for_a_probe
        keep_worker(self._settings, self.stores.database, runs, ended)

    def publish(self, event: Event, id: str | None = None) -> str:
        """Publish an event that is the whole transaction, and return its id."""
        from ml_orchestrator.orchestration.announcing import outbox_of
        from ml_orchestrator.orchestration.events._log import EventLog

        return EventLog(self.stores.database()).publish(outbox_of("server"), event, id=id)

    def close(self) -> None:
        """Give back what was opened."""
        self._slots.close()
