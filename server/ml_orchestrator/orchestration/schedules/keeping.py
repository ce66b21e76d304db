"""A worker for schedules: a server sees to it that one runs while any is enabled."""

import logging
import threading
from collections.abc import Callable

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration.launch import WorkerLauncher
from ml_orchestrator.orchestration.schedules.store import Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["keep_worker"]

LOOK_S = 30.0
_log = logging.getLogger(__name__)


def keep_worker(
    settings: Settings, database: Callable[[], Database], ended: threading.Event
) -> None:
    """Start a worker, now and whenever there is none, if a schedule is enabled; until ``ended``."""
    launcher = WorkerLauncher(settings)
    is_first = True
    while is_first or not ended.wait(LOOK_S):
        is_first = False
        try:
            if Schedules(database(), home_id=home_of(settings)).has_enabled():
                launcher.ensure()
        except OrchestratorError as error:
            _log.warning("Could not see to the worker of schedules: %s", error)
