"""Roll-outs in a terminal: ``ml-orchestrator deploy start|status|decide|…``."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError

from ml_orchestrator.app import build_services
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.records import Record
from ml_orchestrator.services import Services
from ml_orchestrator.serving.rollout.models import RolloutEvent, RolloutPlan, RolloutStatus
from ml_orchestrator.serving.rollout.outcomes import RequestOutcome
from ml_orchestrator.settings import Settings

__all__ = ["run_deploy"]

WATCH_S = 2.0
NEEDS_SOMEBODY = 2  # exit code of watching
MOST_ROWS = 1_000
T = TypeVar("T", bound=Record)


def run_deploy(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if the roll-out ended otherwise than promoted, or cannot start."""
    services = build_services(settings)
    return anyio.run(_ACTS[arguments.act], services, arguments)


async def _start(services: Services, given: argparse.Namespace) -> int:
    agent = canonical_agent(given.agent)
    services.security.authorise(agent, "deployment_start")
    done = await services.rollouts.start(
        given.model,
        given.version,
        alias=given.alias.removeprefix("@"),
        expected_version=given.expect,
        spec=_spec(given.spec),
        actor=agent,
        reason=given.reason,
        dry_run=given.dry_run,
        plan_digest=given.plan_digest,
        idempotency_key=given.key,
    )
    if given.json:
        print(done.model_dump_json())
    elif done.rollout is None:
        print(_plan(done.plan))
    else:
        print(_lines(done.rollout))
    return 1 if given.dry_run and done.plan.obstacles else 0


async def _status(services: Services, given: argparse.Namespace) -> int:
    if not given.watch:
        return _told(await services.rollouts.status(given.rollout), as_json=given.json)
    show, seen = _redraw if sys.stdout.isatty() else _append, None
    while True:
        status = await services.rollouts.status(given.rollout, wait_s=WATCH_S)
        if given.json:
            _append_json(status, seen)
        else:
            show(status, seen)
        if status.is_over:
            return _code(status)
        if status.needs is not None:
            return NEEDS_SOMEBODY
        seen = status


async def _decide(services: Services, given: argparse.Namespace) -> int:
    agent = canonical_agent(given.agent)
    services.security.authorise(agent, "deployment_decide")
    status = await services.rollouts.decide(
        given.rollout, given.choice, actor=agent, reason=given.reason
    )
    print(status.model_dump_json() if given.json else _lines(status))
    return 0


async def _outcomes(services: Services, given: argparse.Namespace) -> int:
    try:
        lines = given.file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{given.file} cannot be read: {error}.") from error
    read = [_line(RequestOutcome, n, text) for n, text in enumerate(lines, 1) if text.strip()]
    reported = await services.rollouts.report_outcomes(given.model, read)
    said = f"{reported.n_new} outcomes of {reported.model!r} are new, {reported.n_known} were known"
    print(reported.model_dump_json() if given.json else said)
    return 0


async def _predict(services: Services, given: argparse.Namespace) -> int:
    answer = await services.deployment.predict(given.model, given.version, _rows(given.rows))
    shown = _plain([str(prediction) for prediction in answer.predictions])
    print(answer.model_dump_json() if given.json else shown)
    return 0


_ACTS: dict[str, Callable[[Services, argparse.Namespace], Awaitable[int]]] = {
    "start": _start,
    "status": _status,
    "decide": _decide,
    "outcomes": _outcomes,
    "predict": _predict,
}


def _spec(text: str) -> dict[str, Any]:
    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        spec = json.loads(content)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"--spec is JSON or @FILE; found {text[:80]!r}: {error}."
        ) from error
    if not isinstance(spec, dict):
        raise InvalidInputError(f"--spec is a JSON object; found {text[:80]!r}.")
    return spec


def _rows(file: str) -> list[dict[str, Any]]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        rows = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{file} holds no rows as JSON: {error}.") from error
    is_rows = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not is_rows or not 1 <= len(rows) <= MOST_ROWS:
        raise InvalidInputError(
            f"{file} must hold a JSON list of 1 to {MOST_ROWS} rows, each {{column: value}}."
        )
    return list(rows)


def _line(kind: type[T], number: int, text: str) -> T:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"])) or "line"
        raise InvalidInputError(
            f"Line {number} cannot be used: {place}: {fault['msg']}. Nothing was stored."
        ) from error


def _told(status: RolloutStatus, *, as_json: bool) -> int:
    print(status.model_dump_json() if as_json else _lines(status))
    return _code(status) if status.is_over else 0


def _code(status: RolloutStatus) -> int:
    return 0 if status.state == "promoted" else 1


def _redraw(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show the newest picture in place, on a terminal."""
    if status != seen:
        print("\033[H\033[2J" + _lines(status), flush=True)


def _append(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show the whole picture first, then what is new."""
    if seen is None:
        print(_lines(status), flush=True)
        return
    news = [_event(event) for event in status.events if event not in seen.events]
    news += _head(status) if status.state != seen.state else []
    if news:
        print(_plain(news), flush=True)


def _append_json(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show a line of JSON for each change but those of a gate's numbers."""
    if seen is None or (status.state, status.events) != (seen.state, seen.events):
        print(status.model_dump_json(), flush=True)


def _plan(plan: RolloutPlan) -> str:
    lines = [f"{plan.model} @{plan.alias}: version {plan.from_version} -> {plan.to_version}"]
    lines += [f"  {number}. {phase}" for number, phase in enumerate(plan.phases, 1)]
    lines += [f"  in the way: {obstacle}" for obstacle in plan.obstacles]
    return _plain([*lines, f"  digest {plan.digest}"])


def _lines(status: RolloutStatus) -> str:
    """Return a roll-out as a terminal shows it; text of others cannot move its cursor."""
    gates = [
        f"  gate {gate.metric:<18} {gate.verdict:<12} {gate.n_measured:>4}  {gate.last_detail}"
        for gate in status.gates
    ]
    return _plain([*_head(status), *gates, *map(_event, status.events)])


def _head(status: RolloutStatus) -> list[str]:
    done = round(status.fraction * 20)
    lines = [
        f"{status.rollout_id}  {status.state}  [{'#' * done}{'.' * (20 - done)}]",
        f"  {status.model} @{status.alias}: version {status.from_version} -> {status.version}, "
        f"{status.strategy}{f', {status.phase}' if status.phase else ''}",
    ]
    lines += [f"  why: {status.reason}"] if status.reason else []
    return lines + ([f"  needs: {status.needs}"] if status.needs else [])


def _event(event: RolloutEvent) -> str:
    return f"  {event.at[11:19]}  {event.kind:<8} {event.detail}"


def _plain(lines: list[str]) -> str:
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
