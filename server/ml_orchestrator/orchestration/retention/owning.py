"""Which runs a data directory may remove, where several share a database: its own."""

from collections.abc import Iterable

from sqlalchemy import select

from ml_orchestrator.orchestration._dbos.history import PastRun
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.sharing.pools import (
    FILE,
    home_id,
    is_shared,
    own_pool,
    place_of,
    pools_of,
)
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.creation import sqlite_file
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import run_homes

__all__ = ["Owned", "may_have_runs_elsewhere"]

WORKFLOWS_FILE = "workflows.db"


class Owned:
    """Tells this directory's runs from those of others.

    A run is of the directory whose own pool it was started in. One of a common pool is of the
    directory that has its files, or without any, of the place that it was started from.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._is_shared = is_shared(settings)

    def among(self, runs: Iterable[PastRun]) -> list[PastRun]:
        """Return those of the runs that are of this directory."""
        given = list(runs)
        if not self._is_shared or not given:
            return given
        own, ours = own_pool(self._settings), home_id(self._settings.home)
        pools, place = pools_of(self._settings), place_of(self._settings)
        homes = self._homes({first_of(x.run_id) for x in given if x.plan.get("pool") != own})

        def is_ours(run: PastRun) -> bool:
            pool, home = run.plan.get("pool"), homes.get(first_of(run.run_id))
            if pool == own or home is not None:
                return pool == own or home == ours
            return pool in pools and run.plan.get("place") == place

        return list(filter(is_ours, given))

    def _homes(self, firsts: set[str]) -> dict[str, str]:
        if not firsts:
            return {}
        query = select(run_homes.c.run_id, run_homes.c.home_id).where(
            run_homes.c.run_id.in_(firsts)
        )
        return {
            row.run_id: row.home_id for row in self._database.read(lambda c: c.execute(query).all())
        }


def may_have_runs_elsewhere(settings: Settings) -> bool:
    """Whether runs of this directory may be on record in a database that is not in use now.

    That is so once it was used with a file of its own and with a shared database.
    """
    if sqlite_file(settings.workflows_url) is not None:
        return (settings.home / FILE).exists()
    return (settings.home / WORKFLOWS_FILE).exists()
