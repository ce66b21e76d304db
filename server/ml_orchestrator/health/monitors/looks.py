"""Looks of monitors in the state database; the newest of each monitor are kept."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from ml_orchestrator.health.monitors.models import MAX_TEXT, Look
from ml_orchestrator.storage.schema import monitor_looks

__all__ = [
    "add_look",
    "forget_looks",
    "forget_these_looks",
    "is_recorded",
    "last_looks",
    "looks_of",
    "old_looks",
]

KEPT_LOOKS = 500  # of each monitor


def add_look(connection: Connection, monitor: str, look: Look, *, run_id: str) -> None:
    """Keep a look, and let those go that are too many."""
    connection.execute(
        insert(monitor_looks).values(
            monitor=monitor,
            run_id=run_id,
            at=look.at,
            verdict=look.verdict,
            summary=look.summary[:MAX_TEXT],
            findings=json.dumps([finding[:MAX_TEXT] for finding in look.findings]),
        )
    )
    _forget_old(connection, monitor)


def is_recorded(connection: Connection, run_id: str) -> bool:
    """Whether this run has recorded its look."""
    query = select(monitor_looks.c.seq).where(monitor_looks.c.run_id == run_id)
    return connection.execute(query).first() is not None


def looks_of(connection: Connection, monitor: str, *, limit: int) -> list[Look]:
    """Return the last looks of a monitor, newest first."""
    table = monitor_looks
    query = select(table).where(table.c.monitor == monitor).order_by(table.c.seq.desc())
    return [_look(row) for row in connection.execute(query.limit(limit)).all()]


def last_looks(connection: Connection) -> dict[str, Look]:
    """Return the last look of each monitor that has one, by the monitor's name."""
    table = monitor_looks
    newest = select(func.max(table.c.seq)).group_by(table.c.monitor)
    rows = connection.execute(select(table).where(table.c.seq.in_(newest))).all()
    return {row.monitor: _look(row) for row in rows}


def forget_looks(connection: Connection, monitor: str) -> None:
    """Remove every look of a monitor."""
    connection.execute(delete(monitor_looks).where(monitor_looks.c.monitor == monitor))


def old_looks(connection: Connection, limit: str, *, keep: int, at_most: int | None) -> list[int]:
    """Return the numbers of looks before ``limit``, but for the newest ``keep`` of each monitor.

    Args:
        connection: inside a transaction.
        limit: ISO 8601 UTC with microseconds.
        keep: how many stay however old they are.
        at_most: how many are returned, the oldest; None for all.
    """
    table = monitor_looks
    rank = func.row_number().over(partition_by=table.c.monitor, order_by=table.c.seq.desc())
    ranked = select(table.c.seq, table.c.at, rank.label("rank")).subquery()
    query = select(ranked.c.seq).where(ranked.c.rank > keep, ranked.c.at < limit)
    return list(connection.execute(query.order_by(ranked.c.seq).limit(at_most)).scalars())


def forget_these_looks(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove looks by their numbers."""
    connection.execute(delete(monitor_looks).where(monitor_looks.c.seq.in_(numbers)))


def _forget_old(connection: Connection, monitor: str) -> None:
    table = monitor_looks
    newest = select(table.c.seq).where(table.c.monitor == monitor).order_by(table.c.seq.desc())
    last = connection.execute(newest.offset(KEPT_LOOKS).limit(1)).scalar()
    if last is not None:
        connection.execute(delete(table).where(table.c.monitor == monitor, table.c.seq <= last))


def _look(row: Row[Any]) -> Look:
    findings = tuple(json.loads(row.findings))
    return Look(at=row.at, verdict=row.verdict, summary=row.summary, findings=findings)
