"""Whether anything of a data directory waits for a worker by the clock."""

import logging
from contextlib import closing

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.schedules.store import Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["has_schedules"]

_log = logging.getLogger(__name__)


def has_schedules(settings: Settings) -> bool:
    """Whether a schedule is enabled, as far as is known; the state database is opened for it."""
    try:
        with closing(open_database(settings.state_url, settings.home)) as database:
            return Schedules(database, home_id=home_of(settings)).has_enabled()
    except UnavailableError as error:
        _log.debug("Schedules could not be looked at: %s", error)
        return False
