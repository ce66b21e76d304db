"""Runs of workflows in a terminal: ``ml-orchestrator runs list|show|cancel|resume|logs``."""

import argparse
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import IO

import anyio

from ml_orchestrator.app import build_services
from ml_orchestrator.deploying_text import bar, plain
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.identity import person
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.models import MARKS, RunStatus, StepStatus
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings

__all__ = ["run_runs"]

WATCH_S = 2.0
LOOK_S = 0.5
MOST_LISTED = 100


def run_runs(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if the run that is shown has failed or was cancelled."""
    if arguments.act == "logs":
        return _logs(arguments, settings)
    return anyio.run(_ACTS[arguments.act], build_services(settings), settings, arguments)


async def _list(services: Services, settings: Settings, given: argparse.Namespace) -> int:
    if not 1 <= given.limit <= MOST_LISTED:
        raise InvalidInputError(f"--limit takes 1 to {MOST_LISTED}; found {given.limit}.")
    page = await services.workflow.runs(limit=given.limit, cursor=given.cursor)
    if given.json:
        print(page.model_dump_json())
        return 0
    for run in page.runs:
        print(f"{run.run_id:<22} {run.state:<10} {run.workflow:<14} {run.created_at}  {run.actor}")
    if not page.runs:
        print(f"No runs yet in {settings.home}.")
    if page.next_cursor:
        print(f"More: ml-orchestrator runs list --cursor {page.next_cursor}")
    return 0


async def _show(services: Services, _: Settings, given: argparse.Namespace) -> int:
    seen: str | None = None
    while True:
        wait_s = WATCH_S if given.watch and seen is not None else 0.0
        status = await services.workflow.status(given.run_id, wait_s=wait_s)
        shown = status.model_dump_json() if given.json else _text(status)
        if given.picture is not None and not given.json:
            shown = f"{_head(status)}\n{await _picture(services, status, given.picture)}"
        if shown != seen:
            _print(shown, is_redrawn=seen is not None and not given.json)
        if status.is_over or not given.watch:
            return 1 if status.state in ("failed", "cancelled") else 0
        seen = shown


async def _cancel(services: Services, _: Settings, given: argparse.Namespace) -> int:
    return _told(await services.workflow.cancel(given.run_id, actor=person()), given)


async def _resume(services: Services, _: Settings, given: argparse.Namespace) -> int:
    return _told(await services.workflow.resume(given.run_id, actor=person()), given)


_ACTS: dict[str, Callable[[Services, Settings, argparse.Namespace], Awaitable[int]]] = {
    "list": _list,
    "show": _show,
    "cancel": _cancel,
    "resume": _resume,
}


def _told(status: RunStatus, given: argparse.Namespace) -> int:
    print(status.model_dump_json() if given.json else _text(status))
    return 0


def _print(text: str, *, is_redrawn: bool) -> None:
    """Show a picture, on a terminal in the place of the one before."""
    clear = "\033[H\033[2J" if is_redrawn and sys.stdout.isatty() else ""
    print(clear + text, flush=True)


def _head(status: RunStatus) -> str:
    return f"{status.run_id}  {status.workflow}  {status.state}  (by {status.actor})"


def _text(status: RunStatus) -> str:
    lines = [_head(status)]
    for step in status.steps:
        lines.append(_step(step))
        lines += _of_node(step)
        if status.progress and status.progress.step == step.name:
            lines.append(f"      {bar(status.progress.fraction)} {status.progress.message}")
    lines += [f"  why: {status.error}"] if status.error else []
    lines += [f"  result: {json.dumps(status.result)}"] if status.result else []
    return plain(lines)


def _of_node(step: StepStatus) -> list[str]:
    """Return what a pipeline's step has to say besides: why it was skipped, its failed tries."""
    if step.node is None:
        return []
    lines = [f"      {failure.unit}: {failure.error}" for failure in step.node.failures]
    lines += [f"      {step.node.because}"] if step.node.because else []
    return lines + ([f"      {step.node.doing}"] if step.node.doing else [])


async def _picture(services: Services, status: RunStatus, path: str) -> str:
    """Return the graph as text, and write it as PNG unless the path is empty."""
    text, png = await services.workflow.draw(status)
    if path:
        _write(Path(path), png)
    return text


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error


def _step(step: StepStatus) -> str:
    took = "" if step.seconds is None else f"{step.seconds:.1f} s"
    return f"  {MARKS[step.state]} {step.name:<20} {step.state:<10} {took}".rstrip()


def _logs(given: argparse.Namespace, settings: Settings) -> int:
    """Print what workers have logged, of one run or of all, and with --follow what comes."""
    log = settings.home / "logs" / "worker.log"
    if not log.exists():
        print(f"No worker has logged anything to {log} yet.", file=sys.stderr)
        return 1
    wanted = None if given.run_id is None else first_of(given.run_id)
    with log.open(encoding="utf-8", errors="replace") as file:
        if not _print_lines(file, wanted) and not given.follow:
            print(f"{log} says nothing of it.", file=sys.stderr)
        while given.follow:
            time.sleep(LOOK_S)
            _print_lines(file, wanted)
            _start_again_if_shorter(file, log)
    return 0


def _print_lines(file: IO[str], wanted: str | None) -> int:
    """Print the lines of a run, or all, and return how many there were."""
    n_printed = 0
    for line in _whole_lines(file):
        if wanted is None or _is_of(line, wanted):
            print(line.rstrip("\n"), flush=True)
            n_printed += 1
    return n_printed


def _whole_lines(file: IO[str]) -> Iterator[str]:
    """Give the lines that are complete; the rest is read when it is."""
    while True:
        at = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(at)
            return
        yield line


def _is_of(line: str, run_id: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return run_id in line
    is_named = isinstance(entry, dict) and entry.get("run_id") == run_id
    return is_named or run_id in str(entry)


def _start_again_if_shorter(file: IO[str], log: Path) -> None:
    if log.exists() and log.stat().st_size < file.tell():
        file.seek(0)
