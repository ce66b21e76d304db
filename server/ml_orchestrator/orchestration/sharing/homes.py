"""Where runs have their files, for directories that take one another's runs."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.orchestration.sharing.pools import home_id, place_of
from ml_orchestrator.orchestration.steps._base import STEPS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import run_homes as table
from ml_orchestrator.training.shelf import forget_files

__all__ = ["RunHome", "RunHomes", "at_home", "forget_homes", "forgetting_files"]

AT_ONCE = 500  # ids in one statement

Execute = Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class RunHome:
    """The data directory that has a run's files: its id, and its place for people.

    ``is_movable``: what the run needs of them is in the database, too.
    """

    home_id: str
    place: str
    is_movable: bool = False


class RunHomes:
    """Notes which data directory has the files of a run: the first in which it has any.

    While a run is at a step that keeps what it needs in the database, and has no other files, a
    worker of another directory that takes it takes its files over.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._id = home_id(settings.home)

    def of(self, run_id: str) -> RunHome | None:
        """Return where a run has its files; None if it has none yet."""
        query = select(table).where(table.c.run_id == run_id)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else RunHome(row.home_id, row.place, bool(row.is_movable))

    def check(self, run_id: str, *, moves: bool = False) -> None:
        """Return if the run's files are here, or it has none yet.

        A step that ``moves`` may leave them where they are: they are here from now on.

        Raises:
            StepFailedError: they are in another data directory.
        """
        found = self.of(run_id)
        if found is not None and found.home_id != self._id and found.is_movable and moves:
            self._move(run_id)
        elif found is not None and found.home_id != self._id:
            raise StepFailedError(
                f"The files of run {run_id} are in {found.place}, and this worker has "
                f"{place_of(self._settings)}. Resume the run: a worker of that directory then goes "
                "on with it. To let any worker do so, give all of them one data directory on a "
                "shared disk.",
                is_final=True,
            )

    def settle(self, run_id: str, *, is_movable: bool = False) -> None:
        """Note that the run has files here, unless it is known to have them elsewhere.

        What is not movable makes all of the run's files so.
        """
        row = {
            "run_id": run_id,
            "home_id": self._id,
            "place": place_of(self._settings),
            "is_movable": int(is_movable),
        }
        here = (table.c.run_id == run_id, table.c.home_id == self._id)

        def work(connection: Connection) -> None:
            connection.execute(insert(table).values(row).on_conflict_do_nothing())
            if not is_movable:
                connection.execute(update(table).where(*here).values(is_movable=0))

        self._database.write(work)

    def _move(self, run_id: str) -> None:
        row = {"home_id": self._id, "place": place_of(self._settings)}
        statement = update(table).where(table.c.run_id == run_id, table.c.is_movable == 1)
        self._database.write(lambda connection: connection.execute(statement.values(row)))


def at_home(execute: Execute, settings: Settings, database: Database) -> Execute:
    """Return ``execute`` for runs that may have begun elsewhere.

    A step with a process of its own writes into the run's folder, so the run has its files here
    from then on; one in a thread, if it made the folder. What a step that ``moves`` wrote may be
    left behind until it has ended.
    """
    homes = RunHomes(settings, database)

    async def execute_here(job: Job) -> dict[str, Any]:
        step = STEPS[job.catalogued]
        await asyncio.to_thread(homes.check, job.run_id, moves=step.moves)
        if step.moves:
            await asyncio.to_thread(homes.settle, job.run_id, is_movable=True)
            output = await execute(job)
            await asyncio.to_thread(homes.settle, job.run_id)
            return output
        if job.is_isolated or step.isolated:
            await asyncio.to_thread(homes.settle, job.run_id)
            return await execute(job)
        try:
            return await execute(job)
        finally:
            if (settings.home / "runs" / job.run_id).exists():
                await asyncio.to_thread(homes.settle, job.run_id)

    return execute_here


def forgetting_files(execute: Execute, database: Database) -> Execute:
    """Return ``execute``, after which the database forgets the files of a step that ``moves``.

    Not before: until the end of the step is on record, another directory may have to go on with
    it. With ``at_home`` inside, the run stays where it is by then, and its answer is a file there.
    """

    async def execute_and_forget(job: Job) -> dict[str, Any]:
        output = await execute(job)
        if STEPS[job.catalogued].moves:
            await asyncio.to_thread(forget_files, database, job.run_id, job.place)
        return output

    return execute_and_forget


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
