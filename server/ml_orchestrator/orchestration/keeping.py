"""A worker for runs and schedules: a server sees to it that one is there while it is wanted."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration.launch import open_books
from ml_orchestrator.orchestration.schedules.store import Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of, is_shared
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["Keeper", "keep_worker"]

LOOK_S = 0.25  # less than a millisecond each; while nothing is written only a file's times are read
SHARED_LOOK_S = 2.0  # each asks the database that all share
SCHEDULES_LOOK_S = 30.0
PAUSE_S = 30.0  # after what went wrong, such as workers that cannot start
_log = logging.getLogger(__name__)


class Runs(Protocol):
    """As much as is asked of the workflow database (``_dbos.client.RunClient``)."""

    def has_unfinished(self) -> bool:
        """Whether runs of this data directory are queued or go on."""
        ...

    def wake(self) -> None:
        """See to it that a worker runs."""
        ...


def keep_worker(
    settings: Settings,
    database: Callable[[], Database],
    runs: Callable[[], Runs],
    ended: threading.Event,
) -> None:
    """Start a worker, now and whenever one is wanted and there is none, until ``ended``.

    It is wanted while a run is not over, unless the last worker was stopped by a person, and while
    a schedule is enabled, whoever stopped it.
    """
    with closing(Keeper(settings, database, runs)) as keeper:
        wait_s = keeper.look()
        while not ended.wait(wait_s):
            wait_s = keeper.look()


class Keeper:
    """Looks whether a worker is wanted. Not thread-safe."""

    def __init__(
        self, settings: Settings, database: Callable[[], Database], runs: Callable[[], Runs]
    ) -> None:
        self._settings = settings
        self._database = database
        self._runs = runs
        self._changes = None if is_shared(settings) else _Changes(settings.home)
        self._last = Door(lambda: _LastWorkers(settings), is_light=True)
        self._look_s = SHARED_LOOK_S if is_shared(settings) else LOOK_S
        self._are_under_way = True
        self._schedules_at = float("-inf")

    def look(self) -> float:
        """See to a worker if one is wanted; return in how many seconds to look again."""
        try:
            self._are_under_way = self._look_for_runs()
            is_wanted = self._are_under_way and not self._last().were_stopped()
            if is_wanted or self._is_scheduled():
                self._runs().wake()
        except (OrchestratorError, sqlite3.Error) as error:
            _log.warning("Could not see to a worker: %s", error)
        except Exception:  # noqa: BLE001 a defect of a look must not end those that follow
            _log.exception("Could not see to a worker")
        else:
            return self._look_s
        self._are_under_way = True  # for all we know
        return PAUSE_S

    def close(self) -> None:
        """Give connections back."""
        if self._last.is_open:
            self._last().close()

    def _look_for_runs(self) -> bool:
        """Whether runs are under way; where nothing was, the file has to change first."""
        has_changed = self._changes is None or self._changes.are_new()
        return (self._are_under_way or has_changed) and self._runs().has_unfinished()

    def _is_scheduled(self) -> bool:
        """Whether a schedule is enabled, at the times when that is looked at."""
        if time.monotonic() < self._schedules_at:
            return False
        self._schedules_at = time.monotonic() + SCHEDULES_LOOK_S
        return Schedules(self._database(), home_id=home_of(self._settings)).has_enabled()


class _Changes:
    """Whether the file of runs was written since the last look; an idle server asks no more."""

    def __init__(self, home: Path) -> None:
        self._files = (home / "workflows.db", home / "workflows.db-wal")
        self._seen: list[tuple[int, int] | None] = []

    def are_new(self) -> bool:
        before, self._seen = self._seen, [_stamp(file) for file in self._files]
        return self._seen != before


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class _LastWorkers:
    """Reads from the record whether the last workers died or a person stopped them."""

    def __init__(self, settings: Settings) -> None:
        books = open_books(settings)
        self._leases, self._notes, self.close = books.leases, books.notes, books.close

    def were_stopped(self) -> bool:
        """Whether a person stopped them and none has begun since.

        A worker that was killed has its lease still, so it is asked first; whoever begins removes
        the notes of those that left.
        """
        living = [x for x in self._leases.ours() if x.is_live] if self._leases.exists() else []
        stopped = {name for name, note in self._notes.all().items() if note.is_stopped}
        here = {lease.executor_id for lease in living if lease.is_here}
        left = stopped - {lease.executor_id for lease in living}
        return here <= stopped if here else bool(left)
