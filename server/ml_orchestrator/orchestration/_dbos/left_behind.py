"""Runs in the file of a data directory, where no worker looks once runs are in Postgres."""

import sqlite3
from contextlib import closing, suppress

from ml_orchestrator.orchestration.sharing.pools import is_shared
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings

__all__ = ["WHAT_TO_DO", "n_left_behind"]

WHAT_TO_DO = (
    f"Cancel them and start them anew (env -u ML_ORCHESTRATOR_DATABASE_URL {program()} runs "
    "list, then runs cancel RUN), or let them end there: env -u ML_ORCHESTRATOR_DATABASE_URL "
    f"{program()} worker. See docs/workers.md."
)
_COUNT = "SELECT count(*) FROM workflow_status WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED')"


def n_left_behind(settings: Settings) -> int:
    """Return how many unfinished runs are in the file; 0 also where workers look at the file."""
    path = settings.home / "workflows.db"
    if not is_shared(settings) or not path.exists():
        return 0
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=1)) as connection:
        (found,) = connection.execute(_COUNT).fetchone()
        return int(found)
    return 0  # no such table yet; a damaged file is for the doctor
