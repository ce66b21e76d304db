"""Monitors in a terminal: ``ml-orchestrator monitors list|show|run|remove``."""

import argparse
import json
from collections.abc import Awaitable, Callable

import anyio

from ml_orchestrator.app import build_services
from ml_orchestrator.deploying_text import plain
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.monitors.models import Alert, Look, MonitorStatus
from ml_orchestrator.identity import person
from ml_orchestrator.no_worker import say_if_no_worker
from ml_orchestrator.program import program
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings

__all__ = ["run_monitors"]

UNWELL = 2  # exit code
MOST_SHOWN = 100
MARKS = {
    "healthy": "+",
    "waiting": ".",
    "suspect": "?",
    "alerting": "!",
    "no_data": "!",
}


def run_monitors(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 2 if what is listed is not well."""
    return anyio.run(_ACTS[arguments.act], build_services(settings), settings, arguments)


async def _list(services: Services, settings: Settings, given: argparse.Namespace) -> int:
    found = await services.monitoring.monitors()
    if given.json:
        print(found.model_dump_json())
    else:
        lines = [_line(monitor) for monitor in found.monitors]
        lines += [_alert_line(alert) for alert in found.open_alerts]
        print(plain(lines) if lines else f"No monitors yet in {settings.home}.")
    await say_if_no_worker(services, settings)
    is_unwell = any(m.state in ("alerting", "no_data") for m in found.monitors)
    return UNWELL if is_unwell or found.open_alerts else 0


async def _show(services: Services, _: Settings, given: argparse.Namespace) -> int:
    if not 1 <= given.limit <= MOST_SHOWN:
        raise InvalidInputError(f"--limit takes 1 to {MOST_SHOWN}; found {given.limit}.")
    status, spec, looks, alerts = await services.monitoring.monitor(given.name, limit=given.limit)
    if given.json:
        parts = {
            "status": status.model_dump(mode="json"),
            "spec": spec.model_dump(mode="json", exclude_defaults=True),
            "looks": [look.model_dump(mode="json") for look in looks],
            "alerts": [alert.model_dump(mode="json") for alert in alerts],
        }
        print(json.dumps(parts))
        return 0
    lines = [_line(status), f"  {spec.model_dump_json(exclude_defaults=True)}"]
    for look in looks:
        lines += _look_lines(look)
    for alert in alerts:
        lines += [_alert_line(alert), *(f"      {event}" for event in alert.events)]
    print(plain(lines))
    return 0


async def _run(services: Services, _: Settings, given: argparse.Namespace) -> int:
    status = await services.monitoring.run_monitor(given.name)
    said = f"{given.name} looks in a moment; `{program()} monitors show {given.name}` says what."
    print(status.model_dump_json() if given.json else said)
    return 0


async def _remove(services: Services, _: Settings, given: argparse.Namespace) -> int:
    changed = await services.monitoring.set_monitor(
        given.name, "delete", {}, actor=person(), dry_run=given.dry_run
    )
    print(changed.model_dump_json() if given.json else changed.change)
    return 0


_ACTS: dict[str, Callable[[Services, Settings, argparse.Namespace], Awaitable[int]]] = {
    "list": _list,
    "show": _show,
    "run": _run,
    "remove": _remove,
}


def _line(monitor: MonitorStatus) -> str:
    when = "paused" if monitor.is_paused else f"next {monitor.next_look_at}"
    return (
        f"{MARKS[monitor.state]} {monitor.name:<24} {monitor.state:<9} {monitor.watch}  "
        f"{monitor.schedule}, {when}  (by {monitor.owner})"
    )


def _look_lines(look: Look) -> list[str]:
    return [f"  {look.at[:19]}Z {look.verdict:<9} {look.summary}"]


def _alert_line(alert: Alert) -> str:
    state = "open" if alert.resolved_at is None else f"resolved {alert.resolved_at[:19]}Z"
    return (
        f"  ! {alert.alert_id} {alert.kind} since {alert.opened_at[:19]}Z, {state}: {alert.summary}"
    )
