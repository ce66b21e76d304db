"""Monitors in the state database, with their looks and their alerts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.monitors.alerts import (
    AlertBook,
    Owed,
    alert_of,
    alerts_of,
    all_open,
    entry_of,
    kind_open,
    owed_of,
)
from ml_orchestrator.health.monitors.hysteresis import join, step
from ml_orchestrator.health.monitors.looks import (
    add_look,
    forget_looks,
    is_recorded,
    last_looks,
    looks_of,
)
from ml_orchestrator.health.monitors.models import Alert, Condition, Look, MonitorSpec
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import monitors

__all__ = ["Monitor", "MonitorStore"]

MOST_MONITORS = 100
_JUDGING = {
    "watch", "reference", "drift", "performance", "quality", "column_types", "time_column",
    "rows", "least_rows", "false_alarm_rate",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor as it is kept."""

    name: str
    owner: str
    spec: MonitorSpec
    is_paused: bool
    condition: Condition
    n_looks: int


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
        self._now = now
        self._alerts = AlertBook(new_id=new_id, now=now, alerted=alerted)

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
                    self._alerts.let_go(connection, name, row.owner, owner)
                connection.execute(update(monitors).where(monitors.c.name == name).values(values))
            told = spec.model_dump(mode="json", exclude_defaults=True)
            _audit(connection, "set", name, owner, is_paused=is_paused, spec=told)
            return _monitor(_get(connection, name))

        return self._database.write(work)

    def delete(self, name: str, *, actor: str) -> None:
        """Forget a monitor and its looks; its alerts stay, an open one as resolved.

        Raises:
            NotFoundError: there is none.
        """

        def work(connection: Connection) -> None:
            _get(connection, name)
            self._alerts.resolve(connection, name, "The monitor was removed.", is_told=False)
            forget_looks(connection, name)
            connection.execute(delete(monitors).where(monitors.c.name == name))
            _audit(connection, "removed", name, actor)

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
        return self._database.read(lambda connection: looks_of(connection, name, limit=limit))

    def last_looks(self) -> dict[str, Look]:
        """Return the last look of each monitor that has one, by the monitor's name."""
        return self._database.read(last_looks)

    def open_alerts(self) -> list[Alert]:
        """Return every alert that is open, oldest first."""
        return self._database.read(all_open)

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert, or None."""
        return self._database.read(lambda connection: alert_of(connection, alert_id))

    def alerts(self, name: str, *, limit: int = 20) -> list[Alert]:
        """Return the last alerts of a monitor, newest first."""
        return self._database.read(lambda connection: alerts_of(connection, name, limit=limit))

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
        subjects: Mapping[str, str] = MappingProxyType({}),
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
            subjects: what was found to be bad, named alike in every look, each with a sentence;
                those that an open alert is not about yet join it.

        Raises:
            NotFoundError: the monitor was removed meanwhile.
        """
        given = {k: v for k, v in (("seen", seen), ("limits", limits)) if v is not None}

        def work(connection: Connection) -> Monitor:
            row = _get(connection, name)
            if is_recorded(connection, run_id):
                return _monitor(row)
            if look.verdict in ("good", "bad") and _was_overtaken(row, seen_before):
                self._add(connection, row, _overtaken(look), run_id, {}, None, subjects={})
            else:
                self._add(connection, row, look, run_id, given, version, subjects=subjects)
            return _monitor(_get(connection, name))

        return self._database.write(work)

    def has_recorded(self, run_id: str) -> bool:
        """Whether this run has recorded its look."""
        return self._database.read(lambda connection: is_recorded(connection, run_id))

    def owed(self, name: str) -> list[Owed]:
        """Return the alerts of a monitor that something is still to be done about, oldest first."""
        return self._database.read(lambda connection: owed_of(connection, name))

    def note(self, alert_id: str, event: str, *, done: str | None = None) -> None:
        """Add an event to an alert, and strike one action off what is owed."""
        self._database.write(
            lambda connection: self._alerts.note(connection, alert_id, event, done=done)
        )

    def _add(
        self,
        connection: Connection,
        row: Row[Any],
        look: Look,
        run_id: str,
        given: dict[str, Any],
        version: int | None,
        *,
        subjects: Mapping[str, str],
    ) -> None:
        spec, is_open = _spec(row), kind_open(connection, row.name)
        at = datetime.fromisoformat(look.at)
        after, effect = step(_condition(row), look.verdict, at=at, spec=spec, is_open=is_open)
        reported, joined = join(_condition(row), subjects, effect, is_open=is_open)
        after = after.model_copy(update={**given, "reported": reported})
        alerts, alert = self._alerts, {"owner": row.owner, "summary": look.summary}
        if effect.startswith("resolve"):
            said = "Data came again." if is_open == "no_data" else look.summary
            alerts.resolve(connection, row.name, said, is_told=True)
        if joined:
            alerts.join(connection, row.name, " ".join(joined))
        if effect.endswith("open_finding"):
            owed = [entry_of(action, version) for action in spec.actions]
            alerts.open(connection, row.name, kind="finding", owed=owed, **alert)
        elif effect == "open_no_data":
            alerts.open(connection, row.name, kind="no_data", owed=["tell"], **alert)
        add_look(connection, row.name, look, run_id=run_id)
        values = {"condition": after.model_dump_json(), "n_looks": row.n_looks + 1}
        connection.execute(update(monitors).where(monitors.c.name == row.name).values(values))


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


def _audit(connection: Connection, act: str, name: str, actor: str, **more: Any) -> None:
    audit(connection, f"monitor.{act}", actor=actor, subject=f"monitor:{name}", **more)


def _judges_otherwise(before: MonitorSpec, after: MonitorSpec) -> bool:
    return before.model_dump(include=_JUDGING) != after.model_dump(include=_JUDGING)


def _was_overtaken(row: Row[Any], seen_before: dict[str, Any] | None) -> bool:
    return seen_before is not None and _condition(row).seen != seen_before


def _overtaken(look: Look) -> Look:
    said = "Another look was recorded while this one looked, so its finding is not counted."
    return look.model_copy(update={"verdict": "unchanged", "summary": said, "findings": ()})


def _spec(row: Row[Any]) -> MonitorSpec:
    return MonitorSpec.model_validate_json(row.spec)


def _condition(row: Row[Any]) -> Condition:
    return Condition.model_validate_json(row.condition)


def _monitor(row: Row[Any]) -> Monitor:
    return Monitor(
        row.name, row.owner, _spec(row), bool(row.is_paused), _condition(row), row.n_looks
    )
