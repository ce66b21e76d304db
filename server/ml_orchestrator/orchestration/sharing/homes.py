"""Where runs have their files, for directories that take one another's runs."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.orchestration.sharing.pools import home_id, place_of
from ml_orchestrator.orchestration.steps._base import STEPS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import run_homes as table

__all__ = ["RunHome", "RunHomes", "at_home", "forget_homes"]

AT_ONCE = 500  # ids in one statement

Execute = Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class RunHome:
    """The data directory that has a run's files: its id, and its place for people."""

    home_id: str
    place: str


class RunHomes:
    """Notes which data directory has the files of a run: the first in which it has any."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._id = home_id(settings.home)

    def of(self, run_id: str) -> RunHome | None:
        """Return where a run has its files; None if it has none yet."""
        query = select(table.c.home_id, table.c.place).where(table.c.run_id == run_id)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else RunHome(row.home_id, row.place)

    def check(self, run_id: str) -> None:
        """Return if the run's files are here, or it has none yet.

        Raises:
            StepFailedError: they are in another data directory.
        """
        found = self.of(run_id)
        if found is not None and found.home_id != self._id:
            raise StepFailedError(
                f"The files of run {run_id} are in {found.place}, and this worker has "
                f"{place_of(self._settings)}. Resume the run: a worker of that directory then goes "
                "on with it. To let any worker do so, give all of them one data directory on a "
                "shared disk.",
                is_final=True,
            )

    def settle(self, run_id: str) -> None:
        """Note that the run has files here, unless it is known to have them elsewhere."""
        row = {"run_id": run_id, "home_id": self._id, "place": place_of(self._settings)}

        def work(connection: Connection) -> None:
            connection.execute(insert(table).values(row).on_conflict_do_nothing())

        self._database.write(work)


def at_home(execute: Execute, settings: Settings, database: Database) -> Execute:
    """Return ``execute`` for runs that may have begun elsewhere.

    A step with a process of its own writes into the run's folder, so the run has its files here
    from then on; one in a thread, if it made the folder.
    """
    homes = RunHomes(settings, database)

    async def execute_here(job: Job) -> dict[str, Any]:
        await asyncio.to_thread(homes.check, job.run_id)
        if job.is_isolated or STEPS[job.catalogued].isolated:
            await asyncio.to_thread(homes.settle, job.run_id)
            return await execute(job)
        try:
            return await execute(job)
        finally:
            if (settings.home / "runs" / job.run_id).exists():
                await asyncio.to_thread(homes.settle, job.run_id)

    return execute_here


def forget_homes(database: Database, run_ids: Collection[str]) -> None:
    """Forget where runs that are removed had their files; ``run_ids`` are those of first attempts.

    Raises:
        UnavailableError: the state database cannot be used.
    """
    wanted = sorted(set(run_ids))

    def work(connection: Connection) -> None:
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            connection.execute(delete(table).where(table.c.run_id.in_(part)))

    if wanted:
        database.write(work)
