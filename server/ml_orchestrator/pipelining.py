"""Pipelines in a terminal: ``ml-orchestrator workflow steps|validate|run|schedule|export ...``."""

import argparse
import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import anyio
from pydantic import ValidationError

from ml_orchestrator.app import build_services
from ml_orchestrator.deploying_text import plain
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.identity import person
from ml_orchestrator.orchestration.launch import WorkerLauncher
from ml_orchestrator.orchestration.pipelines.drawing import graph_text
from ml_orchestrator.orchestration.pipelines.export import PLATFORMS
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.pipelines.planning import Planned
from ml_orchestrator.orchestration.pipelines.reading import MAX_BYTES
from ml_orchestrator.orchestration.pipelines.scheduling import PipelineSchedules
from ml_orchestrator.orchestration.pipelines.usable import (
    given_by,
    signature_of,
    taken_by,
    usable_steps,
)
from ml_orchestrator.orchestration.result_text import way_on
from ml_orchestrator.orchestration.schedules import Cadence
from ml_orchestrator.orchestration.steps import load_plugins
from ml_orchestrator.program import program
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["run_pipelining"]

LOOK_S = 10.0


def run_pipelining(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if the run that was followed failed."""
    load_plugins(settings)
    return anyio.run(_ACTS[arguments.act], build_services(settings), settings, arguments)


async def _steps(_: Services, __: Settings, ___: argparse.Namespace) -> int:
    for name in [*usable_steps(), APPROVAL]:
        about = "A person approves." if name == APPROVAL else signature_of(name).about
        print(f"{name:<18} {about}")
        fields = taken_by(name).model_fields.items()
        takes = [f"{key}{'' if field.is_required() else '?'}" for key, field in fields]
        print(f"{'':<18} takes {', '.join(takes)}")
        print(f"{'':<18} gives {', '.join(given_by(name).model_fields)}")
    return 0


async def _validate(services: Services, _: Settings, given: argparse.Namespace) -> int:
    planned = await _planned(services, given)
    steps = f"{len(planned.order)} step{'' if len(planned.order) == 1 else 's'}"
    print(plain([f"{planned.spec.name}: {steps}, digest {planned.digest[:12]}"]))
    for name in planned.order:
        step = planned.spec.steps[name]
        more = [f"when {step.when}"] if step.when else []
        more += [f"for each of {step.for_each}"] if step.for_each is not None else []
        print(plain([f"  {name:<20} {step.uses:<18} {', '.join(more)}".rstrip()]))
    for warning in planned.warnings:
        print(plain([f"  note: {warning}"]))
    return 0


async def _planned(services: Services, given: argparse.Namespace) -> Planned:
    """Return the checked pipeline; without ``--param`` its required ones may be open."""
    spec = sys.stdin.read(MAX_BYTES + 1) if given.file == "-" else given.spec
    loose = await services.workflow.check_pipeline(spec)
    values = _values(given.param, loose)
    lacks = [n for n, p in loose.spec.params.items() if p.is_required and n not in values]
    if lacks and given.act == "validate" and not values:
        return loose
    return await services.workflow.check_pipeline(spec, values)


def _values(pairs: list[str], planned: Planned) -> dict[str, Any]:
    """Return parameters as their types read them: text as it is, everything else as JSON."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise InvalidInputError(f"--param takes NAME=VALUE; found {pair!r}.")
        declared = planned.spec.params.get(name)
        if declared is None or declared.type == "text":
            values[name] = text
            continue
        try:
            values[name] = json.loads(text)
        except ValueError as error:
            raise InvalidInputError(
                f"--param {name} takes {declared.type}, written as JSON; found {text!r}."
            ) from error
    return values


async def _run(services: Services, _: Settings, given: argparse.Namespace) -> int:
    planned = await _planned(services, given)
    status = await services.workflow.start_pipeline(
        planned.spec.plain(),
        planned.params,
        actor=person(),
        may=lambda _: None,  # who is at the terminal may do what they could do by themselves
        idempotency_key=given.key,
    )
    while given.watch and not status.is_over:
        status = await services.workflow.status(status.run_id, wait_s=LOOK_S)
    shown = f"{status.run_id}  {status.state}\n{graph_text(status)}\n{way_on(status)}".rstrip()
    print(status.model_dump_json() if given.json else shown)
    return 1 if status.state in ("failed", "cancelled") else 0


async def _schedule(services: Services, settings: Settings, given: argparse.Namespace) -> int:
    planned = await _planned(services, given)
    cron = given.cron or planned.spec.schedule
    if cron is None:
        raise InvalidInputError(
            f"{given.file} has no schedule. Give --cron 'MINUTE HOUR DAY MONTH WEEKDAY'."
        )
    try:
        cadence = Cadence(cron=cron, zone=given.zone)
    except ValidationError as error:
        raise InvalidInputError(f"It cannot be scheduled: {faults_of(error.errors())}.") from error
    with closing(open_database(settings.state_url, settings.home)) as database:
        kept = PipelineSchedules(settings, database).put(
            planned, planned.params, cadence, owner=person()
        )
    WorkerLauncher(settings).ensure()
    print(
        f"{kept.key} starts {kept.cadence.describe()}; next at {kept.next_due_at:%Y-%m-%d %H:%M}Z\n"
        f"No more by: {program()} workflow unschedule {shlex.quote(kept.key)}"
    )
    return 0


async def _unschedule(_: Services, settings: Settings, given: argparse.Namespace) -> int:
    with closing(open_database(settings.state_url, settings.home)) as database:
        PipelineSchedules(settings, database).remove(given.name, actor=person())
    print(f"{given.name} starts by itself no more.")
    return 0


async def _schedules(_: Services, settings: Settings, __: argparse.Namespace) -> int:
    with closing(open_database(settings.state_url, settings.home)) as database:
        found = PipelineSchedules(settings, database).list()
    for each in found:
        last = f"  last error: {each.last_error}" if each.last_error else ""
        line = f"{each.key:<20} {each.cadence.describe():<28} {each.next_due_at:%Y-%m-%d %H:%M}Z"
        print(plain([f"{line}  {each.owner}{last}"]))
    if not found:
        print("No pipeline is scheduled.")
    return 0


async def _export(services: Services, _: Settings, given: argparse.Namespace) -> int:
    text = PLATFORMS[given.to](await _planned(services, given))
    if given.out is None:
        print(text, end="")
        return 0
    try:
        given.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{given.out} cannot be written: {error.strerror}.") from error
    print(f"{given.out} written")
    return 0


_ACTS: dict[str, Callable[[Services, Settings, argparse.Namespace], Awaitable[int]]] = {
    "steps": _steps,
    "validate": _validate,
    "run": _run,
    "schedule": _schedule,
    "unschedule": _unschedule,
    "schedules": _schedules,
    "export": _export,
}
