"""Who is at a step: the same step of a run is never at work in two workers.

A step in a thread cannot be killed, so it may outlast the cancelling of its run. Where the run is
resumed meanwhile, and another worker takes it, that one waits here.
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.storage.schema import step_holds as table
from ml_orchestrator.storage.schema import worker_leases

__all__ = ["StepHolds"]

LOOK_S = 0.2
MOST_NAME = 255
T = TypeVar("T")
_log = logging.getLogger(__name__)


class StepHolds:
    """Lets one worker at a time be at a step. Thread-safe.

    What a worker holds that has no lease any more counts as free.
    """

    def __init__(self, rows: Rows, executor_id: str) -> None:
        self._rows = rows
        self._executor_id = executor_id
        self._lock = threading.Lock()
        self._n_in_threads = 0
        self._held: set[str] = set()  # or being asked for, in this process
        self._closed = threading.Event()

    @asynccontextmanager
    async def held(self, key: Hashable) -> AsyncIterator[None]:
        """Wait until nobody is at a step, then be at it."""
        name = _name(key)
        while True:
            asked = asyncio.ensure_future(asyncio.to_thread(self.take, name))
            try:
                is_ours = await asyncio.shield(asked)
            except asyncio.CancelledError:
                if await asked:
                    await asyncio.to_thread(self.release, name)
                raise
            if is_ours:
                break
            await asyncio.sleep(LOOK_S)
        try:
            yield
        finally:
            await asyncio.to_thread(self.release, name)

    def during(self, key: Hashable, work: Callable[[], T], is_off: Callable[[], bool]) -> T:
        """Do ``work`` while being at a step; waits, in this thread, until nobody else is.

        Raises:
            StepFailedError: ``is_off`` became true before the work could begin.
        """
        name = _name(key)
        while not self.take(name):
            if is_off():
                raise StepFailedError("The run was cancelled before the step could begin.")
            time.sleep(LOOK_S)
        with self._lock:
            self._n_in_threads += 1
        try:
            return work()
        finally:
            self.release(name)
            with self._lock:
                self._n_in_threads -= 1

    def drain(self) -> None:
        """Wait for the steps in threads, which outlast the engine that asked for them."""
        while self._n_in_threads:
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Let go of nothing more: the lease of this worker has ended."""
        self._closed.set()

    def take(self, name: str) -> bool:
        """Be at a step unless somebody living is; False also while the database is away."""
        with self._lock:
            if name in self._held:
                return False
            self._held.add(name)
        is_ours = self._entered(name)
        if not is_ours:
            self._forget(name)
        return is_ours

    def _entered(self, name: str) -> bool:
        # A row of ours for what we do not hold is from a statement whose answer was lost.
        holder = insert(table).values(key=name, executor_id=self._executor_id)
        is_dead = ~(
            select(worker_leases.c.executor_id)
            .where(worker_leases.c.executor_id == table.c.executor_id)
            .correlate(table)
            .exists()
        )
        statement = holder.on_conflict_do_update(
            index_elements=[table.c.key],
            set_={"executor_id": self._executor_id},
            where=is_dead | (table.c.executor_id == self._executor_id),
        )
        try:
            with self._rows() as connection:
                held = connection.execute(statement.returning(table.c.key))
                return held.first() is not None
        except UnavailableError as error:
            _log.warning("Step %s waits: %s", name, error)
            return False

    def release(self, name: str) -> None:
        """Be at a step no more; waits for a database that is away, as long as the lease lives."""
        is_it = (table.c.key == name) & (table.c.executor_id == self._executor_id)
        has_told = False
        while not self._closed.is_set():
            try:
                with self._rows() as connection:
                    connection.execute(delete(table).where(is_it))
                break
            except UnavailableError as error:
                if not has_told:
                    _log.warning("Step %s is not released yet: %s", name, error)
                has_told = True
                self._closed.wait(LOOK_S)
        self._forget(name)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._held.discard(name)


def _name(key: Hashable) -> str:
    name = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return name if len(name) <= MOST_NAME else hashlib.sha256(name.encode()).hexdigest()
