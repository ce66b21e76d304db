"""Setting monitors, and seeing how they are; a worker lets them look."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.health.monitors.models import (
    Alert,
    Look,
    MonitorChanged,
    Monitors,
    MonitorSpec,
    MonitorState,
    MonitorStatus,
    read_spec,
)
from ml_orchestrator.health.monitors.store import Monitor
from ml_orchestrator.health.options import NAME_PATTERN
from ml_orchestrator.orchestration.launch import WorkerLauncher
from ml_orchestrator.orchestration.monitors.describing import plan_of
from ml_orchestrator.orchestration.monitors.faults import Faults
from ml_orchestrator.orchestration.monitors.opening import KIND, open_monitors
from ml_orchestrator.orchestration.schedules import Cadence, Schedule, Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.orchestration.workers import NO_WORKER
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["MonitorDesk"]

# What checks a monitor imports the registry and the tests of drift; who only looks needs neither.
_CHECK_CADENCE = f"{__package__}.checking:check_cadence"
_CHECK_DATA = f"{__package__}.checking:check_data"
_CHECK_ACTIONS = f"{__package__}.acting_checks:check_actions"
USUAL_EVERY_S = 3_600.0
OVERDUE = timedelta(minutes=10)
N_NEXT = 3
_NAME = re.compile(NAME_PATTERN)


class MonitorDesk:
    """What a service needs to know and write about monitors. Thread-safe."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._store = open_monitors(database)
        self._schedules = Schedules(database, home_id=home_of(settings))
        self._launcher = WorkerLauncher(settings)

    def set(
        self, name: str, spec: Mapping[str, Any], *, actor: str, dry_run: bool
    ) -> MonitorChanged:
        """Make a monitor or change it; its owner is who sets it.

        Data that are not there yet are waited for; of what is there, everything is checked that a
        look would need.

        Raises:
            InvalidInputError: the name or the specification cannot be used; every fault is named.
            NotFoundError: the reference does not exist.
        """
        wanted = read_spec(dict(spec))
        cadence, plan = self._check(name, wanted)
        before = self._store.find(name)
        is_new = before is None
        change = f"Monitor {name!r} {'is made' if is_new else 'is changed'}, owned by {actor}."
        if dry_run:
            return self._planned(change, plan, cadence)
        is_paused = before is not None and before.is_paused
        self._store.put(name, wanted, owner=actor, is_paused=is_paused)
        self._schedules.put(KIND, name, cadence, owner=actor, is_enabled=not is_paused)
        if not is_paused:
            self._launcher.ensure()
        return MonitorChanged(
            is_dry_run=False,
            change=change,
            does=plan,
            next_looks_at=_next(cadence),
            monitor=self.status(name),
        )

    def pause(self, name: str, *, actor: str, dry_run: bool) -> MonitorChanged:
        """Let a monitor look no more until it is resumed; an open alert stays open."""
        return self._switched(name, actor, dry_run=dry_run, is_paused=True)

    def resume(self, name: str, *, actor: str, dry_run: bool) -> MonitorChanged:
        """Let a paused monitor look again."""
        return self._switched(name, actor, dry_run=dry_run, is_paused=False)

    def delete(self, name: str, *, actor: str, dry_run: bool) -> MonitorChanged:
        """Forget a monitor and its looks; its alerts stay on record, resolved.

        Raises:
            NotFoundError: there is no such monitor.
        """
        monitor = self._store.get(name)
        change = f"Monitor {name!r} and its {monitor.n_looks} looks are removed by {actor}."
        if not dry_run:
            self._schedules.remove(KIND, name)
            self._store.delete(name, actor=actor)
        return MonitorChanged(is_dry_run=dry_run, change=change)

    def run(self, name: str) -> MonitorStatus:
        """Let a monitor look now; a worker does so within a second or so.

        Raises:
            NotFoundError: there is no such monitor.
            ConflictError: it is paused.
        """
        if self._store.get(name).is_paused:
            raise ConflictError(f"Monitor {name!r} is paused. Resume it first.")
        self._schedules.trigger(KIND, name)
        self._launcher.ensure()
        return self.status(name)

    def status(self, name: str) -> MonitorStatus:
        """Return how a monitor is.

        Raises:
            NotFoundError: there is no such monitor.
        """
        monitor = self._store.get(name)
        last = next(iter(self._store.looks(name, limit=1)), None)
        return _status(monitor, self._planned_times().get(name), last, self._store.open_alerts())

    def all(self) -> Monitors:
        """Return every monitor, by name, and the open alerts, oldest first."""
        open_alerts = self._store.open_alerts()
        times, last = self._planned_times(), self._store.last_looks()
        statuses = tuple(
            _status(each, times.get(each.name), last.get(each.name), open_alerts)
            for each in self._store.all()
        )
        return Monitors(monitors=statuses, open_alerts=tuple(open_alerts))

    def describe(self) -> str:
        """Return how many there are, in a line for people."""
        found = self.all()
        return f"{len(found.monitors)} monitors, {len(found.open_alerts)} open alerts"

    def history(self, name: str, *, limit: int) -> tuple[MonitorSpec, list[Look], list[Alert]]:
        """Return a monitor's specification, its last looks and its last alerts, newest first."""
        monitor = self._store.get(name)
        looks, alerts = self._store.looks(name, limit=limit), self._store.alerts(name, limit=limit)
        return monitor.spec, looks, alerts

    def rights_asked(self, spec: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the tools that whoever sets such a monitor must have the right to use.

        Raises:
            InvalidInputError: the specification cannot be used.
        """
        return _rights_of(read_spec(dict(spec)))

    def rights(self, name: str) -> tuple[str, ...]:
        """Return the tools that whoever lets this monitor go on must have the right to use."""
        return _rights_of(self._store.get(name).spec)

    def _check(self, name: str, spec: MonitorSpec) -> tuple[Cadence, tuple[str, ...]]:
        """Return when the monitor looks and what it will do.

        Raises:
            OrchestratorError: anything could only fail when it is due; every fault is named.
        """
        faults, cadence = Faults(), None
        with faults.collected():
            _check_name(name)
        with faults.collected():
            cadence = _cadence(spec)
            resolve(_CHECK_CADENCE)(faults, spec, cadence, datetime.now(UTC))
        waits_for: str | None = resolve(_CHECK_DATA)(faults, self._settings, spec)
        resolve(_CHECK_ACTIONS)(faults, self._settings, self._database, spec)
        faults.refuse(f"Monitor {name[:80]!r} cannot be set")
        if cadence is None:
            raise AssertionError("a cadence that cannot be is a fault")
        plan = plan_of(spec, cadence.describe(), waits_for=waits_for, notices=faults.notices)
        return cadence, plan

    def _switched(self, name: str, actor: str, *, dry_run: bool, is_paused: bool) -> MonitorChanged:
        monitor = self._store.get(name)
        cadence = _cadence(monitor.spec)
        change = f"Monitor {name!r} is {'paused' if is_paused else 'resumed'} by {actor}."
        if dry_run:
            return self._planned(change, (), None if is_paused else cadence)
        owner = monitor.owner if is_paused else actor
        self._store.put(name, monitor.spec, owner=owner, is_paused=is_paused)
        self._schedules.put(KIND, name, cadence, owner=owner, is_enabled=not is_paused, stays=True)
        if not is_paused:
            self._launcher.ensure()
        times = () if is_paused else _next(cadence)
        return MonitorChanged(
            is_dry_run=False, change=change, next_looks_at=times, monitor=self.status(name)
        )

    def _planned(self, change: str, plan: Sequence[str], cadence: Cadence | None) -> MonitorChanged:
        times = () if cadence is None else _next(cadence)
        return MonitorChanged(is_dry_run=True, change=change, does=tuple(plan), next_looks_at=times)

    def _planned_times(self) -> dict[str, Schedule]:
        return {schedule.key: schedule for schedule in self._schedules.list(KIND)}


def _rights_of(spec: MonitorSpec) -> tuple[str, ...]:
    """Return the tools that a monitor's owner must have the right to use, for what it sets off."""
    rights: list[str] = []
    if spec.retrain is not None:
        rights.append("workflow_run")
        rights += [] if spec.retrain.roll_out is None else ["deployment_start"]
    if spec.roll_back is not None:
        rights += ["registry_move_alias", "deployment_decide"]
    return tuple(rights)


def _status(
    monitor: Monitor, schedule: Schedule | None, last: Look | None, open_alerts: Sequence[Alert]
) -> MonitorStatus:
    next_at = None if monitor.is_paused or schedule is None else schedule.next_due_at
    state: MonitorState = monitor.condition.state
    trouble = None if monitor.is_paused else _trouble(monitor, schedule, last)
    if trouble and state != "alerting":
        state = "no_data"  # nobody looks: it is not known to be healthy
    return MonitorStatus(
        name=monitor.name,
        owner=monitor.owner,
        watch=monitor.spec.watch,
        state=state,
        is_paused=monitor.is_paused,
        schedule=_cadence(monitor.spec).describe() + (f"; {trouble}" if trouble else ""),
        next_look_at=next_at and next_at.isoformat(timespec="seconds"),
        n_looks=monitor.n_looks,
        last_look=last,
        open_alert=next((a for a in open_alerts if a.monitor == monitor.name), None),
    )


def _trouble(monitor: Monitor, schedule: Schedule | None, last: Look | None) -> str | None:
    """Return why a monitor that should look does not, and what helps; None if it does."""
    if schedule is None or not schedule.is_enabled:
        return "it is not planned: set it again, or let it go on by act resume"
    if schedule.last_error is not None:
        return f"its last look could not begin: {schedule.last_error}"
    now = datetime.now(UTC)
    if now - schedule.next_due_at > OVERDUE:
        return f"nobody lets it look. {NO_WORKER}"
    at = (*(() if last is None else (last.at,)), monitor.condition.last_data_at)
    since = max(map(datetime.fromisoformat, at))
    is_missing = schedule.last_due_at is not None and schedule.last_due_at > since
    if is_missing and now - schedule.cadence.following(since) > OVERDUE:
        return f"no look came of its last time: see {program()} runs list and logs/worker.log"
    return None


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidInputError(
            f"{name[:80]!r} cannot name a monitor: 1 to 64 letters, digits, _ . and -, the first a "
            "letter or digit."
        )


def _cadence(spec: MonitorSpec) -> Cadence:
    every_s = USUAL_EVERY_S if spec.cron is None and spec.every_s is None else spec.every_s
    try:
        return Cadence(cron=spec.cron, every_s=every_s, zone=spec.zone)
    except ValidationError as error:
        faults = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        raise InvalidInputError(f"The monitor cannot be set: {faults}.") from error


def _next(cadence: Cadence) -> tuple[str, ...]:
    found, at = [], datetime.now(UTC)
    for _ in range(N_NEXT):
        at = cadence.following(at)
        found.append(at.isoformat(timespec="seconds"))
    return tuple(found)
