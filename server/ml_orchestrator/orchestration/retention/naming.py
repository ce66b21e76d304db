"""What still names old runs: unfinished runs, open alerts, monitors, scheduled pipelines."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from sqlalchemy import Connection, select

from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration._dbos.open_runs import Names
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import alerts, monitors, schedules

__all__ = ["Naming"]

READ_EVERY_S = 1.0


class Naming:
    """Tells whether something unfinished names a run. Not thread-safe.

    Unfinished runs are looked at each time, by what came since; what is scheduled or watched is
    read again after a second.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        history: History,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._history = history
        self._clock = clock
        self._texts: list[str] = []
        self._names = Names(())
        self._read_at = float("-inf")

    def has(self, run_id: str) -> bool:
        """Whether something names a run, by its id or by a path.

        Raises:
            UnavailableError: a database cannot be used.
        """
        if self._clock() - self._read_at >= READ_EVERY_S:
            self._texts = list(self._all_texts())
            self._names = Names(self._texts)
            self._read_at = self._clock()
        if Names.knows(run_id):
            return self._history.open_runs.name(run_id) or self._names.has(run_id)
        return self._history.is_wanted(run_id) or any(run_id in text for text in self._texts)

    def _all_texts(self) -> Iterator[str]:
        yield from self._database.read(_kept)
        for path in (self._settings.home / "pipelines").glob("*.json"):
            with suppress(FileNotFoundError):  # somebody took it off the schedule just now
                yield path.read_text(encoding="utf-8", errors="replace")


def _kept(connection: Connection) -> list[str]:
    """Return what is watched, or scheduled in any directory that shares the database."""
    open_alerts = select(alerts.c.summary, alerts.c.events, alerts.c.owed).where(
        alerts.c.resolved_at.is_(None)
    )
    rows: Iterable[tuple[str | None, ...]] = [
        *map(tuple, connection.execute(open_alerts)),
        *map(tuple, connection.execute(select(monitors.c.spec))),
        *map(tuple, connection.execute(select(schedules.c.content))),
    ]
    return [text for row in rows for text in row if text is not None]
