"""Monitors, their looks and their alerts in the state database."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.monitors.hysteresis import step
from ml_orchestrator.health.monitors.models import Alert, Condition, Look, MonitorSpec
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import alerts, monitor_looks, monitors

__all__ = ["Monitor", "MonitorStore", "Owed"]

MOST_MONITORS = 100
KEPT_LOOKS = 500  # of each monitor
MOST_EVENTS = 50
MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor as it is kept."""

    name: str
    owner: str
    spec: MonitorSpec
    is_paused: bool
    condition: Condition
    n_looks: int


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


class MonitorStore:
    """Thread- and process-safe; each call is one short transaction.

    ``alerted`` is told of an alert that opens or is resolved, and of the monitor's owner, in the
    transaction that records it.
    """

    def __init__(
        self,
        database: Database,
        *,
        new_id: Callable[[], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        alerted: Callable[[Connection, Alert, str], None] = lambda *_: None,
    ) -> None:
        self._database = database
        self._new_id = new_id
        self._now = now
        self._alerted = alerted

    def put(self, name: str, spec: MonitorSpec, *, owner: str, is_paused: bool) -> Monitor:
        """Keep a monitor. One that watches or judges otherwise than before begins anew.

        What its alerts still owe in the name of another owner than before is let go, but for the
        word that they opened or are over.

        Raises:
            InvalidInputError: there are 100 monitors already.
        """

        def work(connection: Connection) -> Monitor:
            row = _find(connection, name)
            now = timestamp(self._now())
            values: dict[str, Any] = {
                "owner": owner,
                "spec": spec.model_dump_json(),
                "is_paused": int(is_paused),
                "updated_at": now,
            }
            if row is None or _judges_otherwise(_spec(row), spec):
                values["condition"] = Condition(last_data_at=now).model_dump_json()
            elif row.is_paused and not is_paused:  # nobody has looked meanwhile
                condition = _condition(row).model_copy(update={"last_data_at": now})
                values["condition"] = condition.model_dump_json()
            if row is None:
                _refuse_too_many(connection)
                values |= {"name": name, "n_looks": 0, "created_at": now}
                connection.execute(insert(monitors).values(values))
            else:
                if row.owner != owner:
                    self._let_go(connection, name, row.owner, owner)
                connection.execute(update(monitors).where(monitors.c.name == name).values(values))
            return _monitor(_get(connection, name))

        return self._database.write(work)

    def delete(self, name: str) -> None:
        """Forget a monitor and its looks; its alerts stay, an open one as resolved.

        Raises:
            NotFoundError: there is none.
        """

        def work(connection: Connection) -> None:
            _get(connection, name)
            self._resolve(connection, name, "The monitor was removed.", is_told=False)
            connection.execute(delete(monitor_looks).where(monitor_looks.c.monitor == name))
            connection.execute(delete(monitors).where(monitors.c.name == name))

        self._database.write(work)

    def get(self, name: str) -> Monitor:
        """Return one monitor.

        Raises:
            NotFoundError: there is none; the message lists those there are.
        """
        return self._database.read(lambda connection: _monitor(_get(connection, name)))

    def find(self, name: str) -> Monitor | None:
        """Return one monitor, or None."""
        row = self._database.read(lambda connection: _find(connection, name))
        return None if row is None else _monitor(row)

    def all(self) -> list[Monitor]:
        """Return every monitor, by name."""
        query = select(monitors).order_by(monitors.c.name)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [_monitor(row) for row in rows]

    def looks(self, name: str, *, limit: int = 20) -> list[Look]:
        """Return the last looks of a monitor, newest first."""
        table = monitor_looks
        query = select(table).where(table.c.monitor == name).order_by(table.c.seq.desc())
        rows = self._database.read(lambda connection: connection.execute(query.limit(limit)).all())
        return [_look(row) for row in rows]

    def open_alerts(self) -> list[Alert]:
        """Return every alert that is open, oldest first."""
        query = select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.seq)
        return [_alert(row) for row in self._database.read(lambda c: c.execute(query).all())]

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert, or None."""
        query = select(alerts).where(alerts.c.id == alert_id)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _alert(row)

    def alerts(self, name: str, *, limit: int = 20) -> list[Alert]:
        """Return the last alerts of a monitor, newest first."""
        query = select(alerts).where(alerts.c.monitor == name).order_by(alerts.c.seq.desc())
        return [
            _alert(row)
            for row in self._database.read(lambda c: c.execute(query.limit(limit)).all())
        ]

    def record(
        self,
        name: str,
        look: Look,
        *,
        run_id: str,
        seen: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        version: int | None = None,
        seen_before: dict[str, Any] | None = None,
    ) -> Monitor:
        """Record a look with what follows from it, whole; the same run records once.

        Where another look has recorded meanwhile, what both looked at counts once: this one says
        "unchanged".

        Args:
            name: of the monitor.
            look: what was found.
            run_id: the run that looked.
            seen: what the look saw; None leaves what an earlier one saw.
            limits: what was calibrated; None leaves it.
            version: where the alias that an alert takes back points; 0 for unset, None if that
                is not known.
            seen_before: what was seen when this look began; None does not compare it.

        Raises:
            NotFoundError: the monitor was removed meanwhile.
        """

        given = {k: v for k, v in (("seen", seen), ("limits", limits)) if v is not None}

        def work(connection: Connection) -> Monitor:
            row = _get(connection, name)
            if _is_recorded(connection, run_id):
                return _monitor(row)
            if look.verdict in ("good", "bad") and _was_overtaken(row, seen_before):
                self._add(connection, row, _overtaken(look), run_id, {}, None)
            else:
                self._add(connection, row, look, run_id, given, version)
            return _monitor(_get(connection, name))

        return self._database.write(work)

    def has_recorded(self, run_id: str) -> bool:
        """Whether this run has recorded its look."""
        return self._database.read(lambda connection: _is_recorded(connection, run_id))

    def owed(self, name: str) -> list[Owed]:
        """Return the alerts of a monitor that something is still to be done about, oldest first."""
        query = select(alerts).where(alerts.c.monitor == name, alerts.c.owed != "[]")
        rows = self._database.read(lambda c: c.execute(query.order_by(alerts.c.seq)).all())
        return [_owed(row) for row in rows]

    def note(self, alert_id: str, event: str, *, done: str | None = None) -> None:
        """Add an event to an alert, and strike one action off what is owed."""

        def work(connection: Connection) -> None:
            row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).first()
            if row is None:
                return
            owed = [each for each in json.loads(row.owed) if _action(each) != done]
            values = {"owed": json.dumps(owed), "events": self._with_event(row, event)}
            connection.execute(update(alerts).where(alerts.c.id == alert_id).values(values))

        self._database.write(work)

    def _add(
        self,
        connection: Connection,
        row: Row[Any],
        look: Look,
        run_id: str,
        given: dict[str, Any],
        version: int | None,
    ) -> None:
        spec, is_open = _spec(row), _open_kind(connection, row.name)
        at = datetime.fromisoformat(look.at)
        after, effect = step(_condition(row), look.verdict, at=at, spec=spec, is_open=is_open)
        after = after.model_copy(update=given)
        if effect.startswith("resolve"):
            said = "Data came again." if is_open == "no_data" else look.summary
            self._resolve(connection, row.name, said, is_told=True)
        if effect.endswith("open_finding"):
            owed = [_entry(action, version) for action in spec.actions]
            self._open(connection, row, "finding", look.summary, owed)
        elif effect == "open_no_data":
            self._open(connection, row, "no_data", look.summary, ("tell",))
        connection.execute(
            insert(monitor_looks).values(
                monitor=row.name,
                run_id=run_id,
                at=look.at,
                verdict=look.verdict,
                summary=look.summary[:MAX_TEXT],
                findings=json.dumps([finding[:MAX_TEXT] for finding in look.findings]),
            )
        )
        values = {"condition": after.model_dump_json(), "n_looks": row.n_looks + 1}
        connection.execute(update(monitors).where(monitors.c.name == row.name).values(values))
        _forget_old_looks(connection, row.name)

    def _open(
        self, connection: Connection, row: Row[Any], kind: str, summary: str, owed: Sequence[str]
    ) -> None:
        alert_id = self._new_id()
        connection.execute(
            insert(alerts).values(
                id=alert_id,
                monitor=row.name,
                owner=row.owner,
                kind=kind,
                summary=summary[:MAX_TEXT],
                opened_at=timestamp(self._now()),
                owed=json.dumps(list(owed)),
                events="[]",
            )
        )
        self._tell(connection, alert_id)

    def _resolve(self, connection: Connection, name: str, said: str, *, is_told: bool) -> None:
        """Resolve the open alert, if there is one.

        What it had not set off yet it does not set off any more.
        """
        is_it = (alerts.c.monitor == name) & alerts.c.resolved_at.is_(None)
        row = connection.execute(select(alerts).where(is_it)).first()
        if row is None:
            return
        values = {
            "resolved_at": timestamp(self._now()),
            "owed": json.dumps(["tell_resolved"] if is_told else []),
            "events": self._with_event(row, f"Resolved. {said}"),
        }
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))
        self._tell(connection, row.id)

    def _let_go(self, connection: Connection, name: str, before: str, owner: str) -> None:
        """Strike off what nobody is left to answer for."""
        query = select(alerts).where(alerts.c.monitor == name, alerts.c.owed != "[]")
        for row in connection.execute(query).all():
            owed: list[str] = json.loads(row.owed)
            kept = [each for each in owed if _action(each).startswith("tell")]
            if kept == owed:
                continue
            gone = ", ".join(_action(each) for each in owed if each not in kept)
            said = f"Not done any more: {gone}. The owner is {owner} now, and was {before}."
            values = {"owed": json.dumps(kept), "events": self._with_event(row, said)}
            connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))

    def _tell(self, connection: Connection, alert_id: str) -> None:
        row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one()
        self._alerted(connection, _alert(row), row.owner)

    def _with_event(self, row: Row[Any], event: str) -> str:
        at = self._now().astimezone(UTC).isoformat(timespec="seconds")
        known = json.loads(row.events)
        return json.dumps([*known, f"{at} {event[:MAX_TEXT]}"][-MOST_EVENTS:])


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(monitors).where(monitors.c.name == name)).first()


def _get(connection: Connection, name: str) -> Row[Any]:
    row = _find(connection, name)
    if row is None:
        names = connection.execute(select(monitors.c.name).order_by(monitors.c.name)).scalars()
        known = ", ".join(names) or "none; monitor_set makes one"
        raise NotFoundError(f"No monitor named {name!r}; known: {known}.")
    return row


def _refuse_too_many(connection: Connection) -> None:
    n_monitors = connection.execute(select(func.count()).select_from(monitors)).scalar_one()
    if n_monitors >= MOST_MONITORS:
        raise InvalidInputError(
            f"There are {n_monitors} monitors, and no more are kept. Remove one first "
            "(health_get lists them)."
        )


def _judges_otherwise(before: MonitorSpec, after: MonitorSpec) -> bool:
    judging = {
        "watch", "reference", "drift", "performance", "quality", "column_types", "time_column",
        "rows", "least_rows", "false_alarm_rate",
    }  # fmt: skip
    return before.model_dump(include=judging) != after.model_dump(include=judging)


def _is_recorded(connection: Connection, run_id: str) -> bool:
    query = select(monitor_looks.c.seq).where(monitor_looks.c.run_id == run_id)
    return connection.execute(query).first() is not None


def _was_overtaken(row: Row[Any], seen_before: dict[str, Any] | None) -> bool:
    return seen_before is not None and _condition(row).seen != seen_before


def _overtaken(look: Look) -> Look:
    said = "Another look was recorded while this one looked, so its finding is not counted."
    return look.model_copy(update={"verdict": "unchanged", "summary": said, "findings": ()})


def _open_kind(connection: Connection, name: str) -> Any:
    is_it = (alerts.c.monitor == name) & alerts.c.resolved_at.is_(None)
    return connection.execute(select(alerts.c.kind).where(is_it)).scalar()


def _forget_old_looks(connection: Connection, name: str) -> None:
    table = monitor_looks
    newest = select(table.c.seq).where(table.c.monitor == name).order_by(table.c.seq.desc())
    last = connection.execute(newest.offset(KEPT_LOOKS).limit(1)).scalar()
    if last is not None:
        connection.execute(delete(table).where(table.c.monitor == name, table.c.seq <= last))


def _spec(row: Row[Any]) -> MonitorSpec:
    return MonitorSpec.model_validate_json(row.spec)


def _condition(row: Row[Any]) -> Condition:
    return Condition.model_validate_json(row.condition)


def _monitor(row: Row[Any]) -> Monitor:
    return Monitor(
        row.name, row.owner, _spec(row), bool(row.is_paused), _condition(row), row.n_looks
    )


def _look(row: Row[Any]) -> Look:
    findings = tuple(json.loads(row.findings))
    return Look(at=row.at, verdict=row.verdict, summary=row.summary, findings=findings)


def _entry(action: str, version: int | None) -> str:
    return f"{action}:{version}" if action == "roll_back" and version is not None else action


def _action(owed: str) -> str:
    return owed.partition(":")[0]


def _owed(row: Row[Any]) -> Owed:
    """Return what is owed; ``roll_back:2`` is to take back an alias that was at version 2."""
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
