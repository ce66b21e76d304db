"""What still names old runs: unfinished runs, open alerts, monitors, scheduled pipelines."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from sqlalchemy import Connection, select

from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import alerts, monitors

__all__ = ["is_named"]


def is_named(run_id: str, *, settings: Settings, database: Database, history: History) -> bool:
    """Return whether something unfinished names a run, by its id or by a path."""
    return history.is_wanted(run_id) or any(run_id in text for text in _texts(settings, database))


def _texts(settings: Settings, database: Database) -> Iterator[str]:
    yield from database.read(_of_monitors)
    for path in (settings.home / "pipelines").glob("*.json"):
        with suppress(FileNotFoundError):  # somebody took it off the schedule just now
            yield path.read_text(encoding="utf-8", errors="replace")


def _of_monitors(connection: Connection) -> list[str]:
    open_alerts = select(alerts.c.summary, alerts.c.events, alerts.c.owed).where(
        alerts.c.resolved_at.is_(None)
    )
    rows: Iterable[tuple[str, ...]] = [
        *map(tuple, connection.execute(open_alerts)),
        *map(tuple, connection.execute(select(monitors.c.spec))),
    ]
    return [text for row in rows for text in row]
