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
from ml_orchestrator.deploying_text import (
    event_line,
    head_lines,
    in_a_terminal,
    plain,
    plan_text,
    status_text,
)
from ml_orchestrator.errors import InvalidInputError, OrchestratorError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.records import Record
from ml_orchestrator.services import Services
from ml_orchestrator.serving.rollout.models import RolloutStatus
from ml_orchestrator.serving.rollout.outcomes import RequestOutcome
from ml_orchestrator.settings import Settings

__all__ = ["run_deploy"]

WATCH_S = 2.0
NEEDS_SOMEBODY = 2  # exit code of watching
MOST_ROWS = 1_000
REASON_LENGTHS = (3, 2_000)
T = TypeVar("T", bound=Record)


def run_deploy(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if it failed, or the roll-out ended otherwise than promoted or cannot start."""
    services = build_services(settings)
    try:
        return anyio.run(_ACTS[arguments.act], services, arguments)
    except OrchestratorError as error:
        print(f"ml-orchestrator: {in_a_terminal(str(error))}", file=sys.stderr)
        return 1


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
        reason=_reason(given.reason),
        dry_run=given.dry_run,
        plan_digest=given.plan_digest,
        idempotency_key=given.key,
    )
    if given.json:
        print(done.model_dump_json())
    elif done.rollout is None:
        print(plan_text(done.plan))
    else:
        print(status_text(done.rollout))
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
        given.rollout, given.choice, actor=agent, reason=_reason(given.reason)
    )
    print(status.model_dump_json() if given.json else status_text(status))
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
    shown = plain([str(prediction) for prediction in answer.predictions])
    print(answer.model_dump_json() if given.json else shown)
    if answer.notices and not given.json:
        print(plain(list(answer.notices)), file=sys.stderr)
    return 0


_ACTS: dict[str, Callable[[Services, argparse.Namespace], Awaitable[int]]] = {
    "start": _start,
    "status": _status,
    "decide": _decide,
    "outcomes": _outcomes,
    "predict": _predict,
}


def _reason(text: str) -> str:
    """Return a reason that is one, as the tools take it."""
    shortest, longest = REASON_LENGTHS
    if not shortest <= len(text.strip()) <= longest:
        raise InvalidInputError(
            f"--reason takes {shortest} to {longest} characters; found {text[:80]!r}. It is kept "
            "in the history: say why."
        )
    return text


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
        fault = faults_of(error.errors()[:1], whole="line")
        raise InvalidInputError(
            f"Line {number} cannot be used: {fault}. Nothing was stored."
        ) from error


def _told(status: RolloutStatus, *, as_json: bool) -> int:
    print(status.model_dump_json() if as_json else status_text(status))
    return _code(status) if status.is_over else 0


def _code(status: RolloutStatus) -> int:
    return 0 if status.state == "promoted" else 1


def _redraw(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show the newest picture in place, on a terminal."""
    if status != seen:
        print("\033[H\033[2J" + status_text(status), flush=True)


def _append(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show the whole picture first, then what is new."""
    if seen is None:
        print(status_text(status), flush=True)
        return
    news = [event_line(event) for event in status.events if event not in seen.events]
    news += head_lines(status) if _stands(status) != _stands(seen) else []
    if news:
        print(plain(news), flush=True)


def _append_json(status: RolloutStatus, seen: RolloutStatus | None) -> None:
    """Show a line of JSON for each change but those of a gate's numbers."""
    if seen is None or (_stands(status), status.events) != (_stands(seen), seen.events):
        print(status.model_dump_json(), flush=True)


def _stands(status: RolloutStatus) -> tuple[str, str | None]:
    return status.state, status.needs
