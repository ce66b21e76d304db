"""What still names old runs: unfinished runs, open alerts, monitors, scheduled pipelines."""

from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import Connection, select

from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.schema import alerts, monitors

__all__ = ["named_among"]


def named_among(
    run_ids: Collection[str], *, settings: Settings, database: Database, history: History
) -> set[str]:
    """Return those of the runs that something unfinished names, by id or by a path."""
    left, found = set(run_ids), set[str]()
    for text in _texts(settings, database, history):
        found |= {run_id for run_id in left if run_id in text}
        left -= found
    return found


def _texts(settings: Settings, database: Database, history: History) -> Iterator[str]:
    yield from history.unfinished_plans()
    yield from database.read(_of_monitors)
    for path in (settings.home / "pipelines").glob("*.json"):
        yield path.read_text(encoding="utf-8")


def _of_monitors(connection: Connection) -> list[str]:
    open_alerts = select(alerts.c.summary, alerts.c.events, alerts.c.owed).where(
        alerts.c.resolved_at.is_(None)
    )
    rows: Iterable[tuple[str, ...]] = [
        *map(tuple, connection.execute(open_alerts)),
        *map(tuple, connection.execute(select(monitors.c.spec))),
    ]
    return [text for row in rows for text in row]
