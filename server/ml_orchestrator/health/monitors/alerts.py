"""Alerts in the state database: opened and resolved, and what is still owed about them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from ml_orchestrator.health.monitors.models import MAX_TEXT, Alert, AlertKind
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import alerts

__all__ = [
    "JOINED",
    "AlertBook",
    "Owed",
    "alert_of",
    "alerts_of",
    "all_open",
    "entry_of",
    "kind_open",
    "owed_of",
]

MOST_EVENTS = 50
JOINED = "Joined: "  # begins the event about what was found besides


@dataclass(frozen=True, slots=True)
class Owed:
    """An alert and what is still to be done about it, in order.

    Attributes:
        version: where the alias to take back pointed when the alert opened; 0 for unset, None
            if that is not known.
    """

    alert: Alert
    owner: str
    actions: tuple[str, ...]
    version: int | None = None


class AlertBook:
    """Writes alerts, each call inside the transaction of its caller.

    ``alerted`` is told of an alert that opens or is resolved, and of the monitor's owner, in that
    transaction.
    """

    def __init__(
        self,
        *,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        alerted: Callable[[Connection, Alert, str], None],
    ) -> None:
        self._new_id = new_id
        self._now = now
        self._alerted = alerted

    def open(
        self,
        connection: Connection,
        monitor: str,
        *,
        owner: str,
        kind: AlertKind,
        summary: str,
        owed: Sequence[str],
    ) -> None:
        """Open an alert; none of this monitor is open."""
        alert_id = self._new_id()
        connection.execute(
            insert(alerts).values(
                id=alert_id,
                monitor=monitor,
                owner=owner,
                kind=kind,
                summary=summary[:MAX_TEXT],
                opened_at=timestamp(self._now()),
                owed=json.dumps(list(owed)),
                events="[]",
            )
        )
        self._tell(connection, alert_id)

    def join(self, connection: Connection, monitor: str, said: str) -> None:
        """Add to the open alert what was found besides; it is told, unless the alert itself is."""
        row = connection.execute(select(alerts).where(_is_open(monitor))).one()
        owed: list[str] = json.loads(row.owed)
        if not {"tell", "tell_joined"} & set(owed):
            owed = ["tell_joined", *owed]
        values = {
            "summary": f"{row.summary} Also, later: {said}"[:MAX_TEXT],
            "owed": json.dumps(owed),
            "events": self._with_event(row, f"{JOINED}{said}"),
        }
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))

    def resolve(self, connection: Connection, monitor: str, said: str, *, is_told: bool) -> None:
        """Resolve the open alert, if there is one.

        What it had not set off yet it does not set off any more.
        """
        row = connection.execute(select(alerts).where(_is_open(monitor))).first()
        if row is None:
            return
        values = {
            "resolved_at": timestamp(self._now()),
            "owed": json.dumps(["tell_resolved"] if is_told else []),
            "events": self._with_event(row, f"Resolved. {said}"),
        }
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))
        self._tell(connection, row.id)

    def let_go(self, connection: Connection, monitor: str, before: str, owner: str) -> None:
        """Strike off what nobody is left to answer for, but for the word to others."""
        for row in _owing(connection, monitor):
            owed: list[str] = json.loads(row.owed)
            kept = [each for each in owed if _action(each).startswith("tell")]
            if kept == owed:
                continue
            gone = ", ".join(_action(each) for each in owed if each not in kept)
            said = f"Not done any more: {gone}. The owner is {owner} now, and was {before}."
            values = {"owed": json.dumps(kept), "events": self._with_event(row, said)}
            connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))

    def note(self, connection: Connection, alert_id: str, event: str, *, done: str | None) -> None:
        """Add an event to an alert, and strike one action off what is owed."""
        row = _row(connection, alert_id)
        if row is None:
            return
        owed = [each for each in json.loads(row.owed) if _action(each) != done]
        values = {"owed": json.dumps(owed), "events": self._with_event(row, event)}
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(values))

    def _tell(self, connection: Connection, alert_id: str) -> None:
        row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one()
        self._alerted(connection, _alert(row), row.owner)

    def _with_event(self, row: Row[Any], event: str) -> str:
        at = self._now().astimezone(UTC).isoformat(timespec="seconds")
        known = json.loads(row.events)
        return json.dumps([*known, f"{at} {event[:MAX_TEXT]}"][-MOST_EVENTS:])


def all_open(connection: Connection) -> list[Alert]:
    """Return every alert that is open, oldest first."""
    query = select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.seq)
    return [_alert(row) for row in connection.execute(query).all()]


def alert_of(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert, or None."""
    row = _row(connection, alert_id)
    return None if row is None else _alert(row)


def alerts_of(connection: Connection, monitor: str, *, limit: int) -> list[Alert]:
    """Return the last alerts of a monitor, newest first."""
    query = select(alerts).where(alerts.c.monitor == monitor).order_by(alerts.c.seq.desc())
    return [_alert(row) for row in connection.execute(query.limit(limit)).all()]


def kind_open(connection: Connection, monitor: str) -> AlertKind | None:
    """Return the kind of a monitor's open alert; None without one."""
    query = select(alerts.c.kind).where(_is_open(monitor))
    kind: AlertKind | None = connection.execute(query).scalar()
    return kind


def owed_of(connection: Connection, monitor: str) -> list[Owed]:
    """Return the alerts of a monitor that something is still to be done about, oldest first."""
    return [_owed(row) for row in _owing(connection, monitor)]


def entry_of(action: str, version: int | None) -> str:
    """Return how an action that is owed is kept.

    ``roll_back:2`` is to take back an alias that was at version 2.
    """
    return f"{action}:{version}" if action == "roll_back" and version is not None else action


def _is_open(monitor: str) -> ColumnElement[bool]:
    return (alerts.c.monitor == monitor) & alerts.c.resolved_at.is_(None)


def _owing(connection: Connection, monitor: str) -> Sequence[Row[Any]]:
    query = select(alerts).where(alerts.c.monitor == monitor, alerts.c.owed != "[]")
    return connection.execute(query.order_by(alerts.c.seq)).all()


def _row(connection: Connection, alert_id: str) -> Row[Any] | None:
    return connection.execute(select(alerts).where(alerts.c.id == alert_id)).first()


def _action(entry: str) -> str:
    return entry.partition(":")[0]


def _owed(row: Row[Any]) -> Owed:
    entries: list[str] = json.loads(row.owed)
    versions = [int(each.partition(":")[2]) for each in entries if ":" in each]
    actions = tuple(map(_action, entries))
    return Owed(_alert(row), row.owner, actions, versions[0] if versions else None)


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        alert_id=row.id,
        monitor=row.monitor,
        kind=row.kind,
        summary=row.summary,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        events=tuple(json.loads(row.events)),
    )
