"""Runs of workflows in a terminal: ``ml-orchestrator runs list|show|cancel|resume|prune|logs``."""

import argparse
import shlex
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync

from ml_orchestrator.app import build_services
from ml_orchestrator.deploying_text import bar, plain, told_in_a_terminal
from ml_orchestrator.errors import (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from ml_orchestrator.identity import person
from ml_orchestrator.no_worker import say_if_no_worker
from ml_orchestrator.orchestration.models import (
    MARKS,
    MOST_COUNTED,
    NodeStatus,
    RunList,
    RunStatus,
    StepStatus,
)
from ml_orchestrator.orchestration.result_text import one_line, result_lines, way_on
from ml_orchestrator.orchestration.retention.pruner import prune
from ml_orchestrator.orchestration.retention.rules import KeepRules, Pruned, read_age
from ml_orchestrator.orchestration.run_filter import RunFilter
from ml_orchestrator.program import program
from ml_orchestrator.run_logs import show_logs
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings

__all__ = ["run_runs"]

WATCH_S = 2.0
MOST_LISTED = 100


def run_runs(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if the run that is shown has failed or was cancelled."""
    if arguments.act == "logs":
        return _logs(arguments, settings)
    return anyio.run(_ACTS[arguments.act], build_services(settings), settings, arguments)


def _logs(given: argparse.Namespace, settings: Settings) -> int:
    if given.run_id is None or not given.follow:
        return show_logs(settings, given.run_id, follows=given.follow)
    services = build_services(settings)
    with suppress(UnavailableError):
        anyio.run(services.workflow.look, given.run_id)  # one that is not there is told at once
    return show_logs(
        settings, given.run_id, follows=True, is_over=lambda: _is_over(services, given.run_id)
    )


def _is_over(services: Services, run_id: str) -> bool:
    """Whether a run and what went on from it has ended, or was removed; not while nobody knows."""
    try:
        status = anyio.run(services.workflow.look, run_id)
        while status.resumed_as:
            status = anyio.run(services.workflow.look, status.resumed_as)
    except NotFoundError:
        return True
    except UnavailableError:
        return False
    return status.is_over


async def _list(services: Services, settings: Settings, given: argparse.Namespace) -> int:
    if not 1 <= given.limit <= MOST_LISTED:
        raise InvalidInputError(f"--limit takes 1 to {MOST_LISTED}; found {given.limit}.")
    wanted = RunFilter(given.workflow, given.state, everything=given.all)
    page = await services.workflow.runs(limit=given.limit, cursor=given.cursor, wanted=wanted)
    print(page.model_dump_json() if given.json else _page(page, wanted, settings))
    await say_if_no_worker(services, settings)
    return 0


def _page(page: RunList, wanted: RunFilter, settings: Settings) -> str:
    width = max((len(run.workflow) for run in page.runs), default=0)
    lines = [_listed(run, width) for run in page.runs]
    if not page.runs:
        such = " such" if wanted.workflow or wanted.state else ""
        lines.append(f"No{such} runs yet in {settings.home}.")
    if page.n_left_out:
        over = "over " if page.n_left_out == MOST_COUNTED else ""
        lines.append(
            f"Left out: {over}{page.n_left_out:,} looks of monitors and scheduled runs that "
            "succeeded; --all shows them."
        )
    if page.next_cursor:
        lines.append(f"More: {' '.join(_asked(wanted))} --cursor {page.next_cursor}")
    return plain(lines)


def _listed(run: RunStatus, width: int) -> str:
    """Return a line for a run; names of workflows take ``width`` letters."""
    link = f"  resumed as {run.resumed_as}" if run.resumed_as else ""
    link += f"  resumes {run.resumes}" if run.resumes else ""
    head = f"{run.run_id:<22} {run.state:<10} {run.workflow:<{width}}"
    return f"{head} {run.created_at}  {run.actor}{link}"


def _asked(wanted: RunFilter) -> list[str]:
    """Return the command that lists such runs."""
    words = [program(), "runs", "list"]
    words += ["--workflow", shlex.quote(wanted.workflow)] if wanted.workflow else []
    words += ["--state", wanted.state] if wanted.state else []
    return words + (["--all"] if wanted.everything else [])


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


async def _prune(_: Services, settings: Settings, given: argparse.Namespace) -> int:
    if settings.mode == "read-only" and not given.dry_run:
        raise PermissionDeniedError(
            "This installation runs read-only; nothing is removed. --dry-run says what would be."
        )
    if given.keep is not None and given.keep < 0:
        raise InvalidInputError(f"--keep takes a number from 0; found {given.keep}.")
    age_s = None if given.older_than is None else read_age(given.older_than)
    rules = KeepRules.of(settings).for_all(age_s, given.keep)
    pruned = await run_sync(lambda: prune(settings, rules, is_trial=given.dry_run))
    print(pruned.model_dump_json() if given.json else plain(_removed(pruned)))
    return 0


def _removed(pruned: Pruned) -> list[str]:
    verb = "Would be removed" if pruned.is_dry_run else "Removed"
    return [
        f"{verb}: {pruned.n_runs:,} runs and {pruned.n_by_itself:,} looks and scheduled runs, "
        f"{pruned.size_bytes / 1e6:,.1f} MB of files.",
        f"  {pruned.n_reduced:,} runs that registered a version: their files; the record stays",
        f"  {pruned.n_named:,} old runs stay: something unfinished names them",
        f"  {pruned.n_looks:,} rows of what monitors saw",
        f"  {pruned.n_keys:,} idempotency keys too old to be repeated",
        f"  {pruned.n_folders:,} folders of runs that are not on record",
        f"  {pruned.n_cached:,} outputs in the cache whose files are gone",
    ]


async def _resume(services: Services, _: Settings, given: argparse.Namespace) -> int:
    return _told(await services.workflow.resume(given.run_id, actor=person()), given)


_ACTS: dict[str, Callable[[Services, Settings, argparse.Namespace], Awaitable[int]]] = {
    "list": _list,
    "show": _show,
    "cancel": _cancel,
    "resume": _resume,
    "prune": _prune,
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
    lines = [_head(status), *_links(status), *(f"  {notice}" for notice in status.notices)]
    for step in status.steps:
        latest = status.progress if status.progress and status.progress.step == step.name else None
        lines += [_step(step), *_of_node(step, latest.message if latest else None)]
        if latest:
            lines.append(f"      {bar(latest.fraction)} {latest.message}")
    lines += [f"  why: {status.error}"] if status.error else []
    lines += [f"  {way_on(status)}"] if way_on(status) else []
    if status.result:
        lines += ["  result", *result_lines(told_in_a_terminal(status.result), " " * 4)]
    return plain(lines)


def _links(status: RunStatus) -> list[str]:
    """Return which attempts come before and after this one."""
    lines = [f"  goes on from {status.resumes}, which failed"] if status.resumes else []
    return lines + ([f"  was resumed as {status.resumed_as}"] if status.resumed_as else [])


def _of_node(step: StepStatus, latest: str | None) -> list[str]:
    """Return what a pipeline's step has to say besides its ``latest`` report.

    That is whose output it took, what it was given, why it was skipped, its failed tries, and
    what it last said.
    """
    if step.node is None:
        return []
    cached = step.node.cached_from
    lines = [f"      answered from the cache, with what {cached} gave"] if cached else []
    lines += [f"      with {one_line(given)}" for given in _given(step.node)]
    lines += [f"      {failure.unit}: {failure.error}" for failure in step.node.failures]
    lines += [f"      {step.node.because}"] if step.node.because else []
    doing = None if step.node.doing == latest else step.node.doing
    return lines + ([f"      {doing}"] if doing else [])


def _given(node: NodeStatus) -> list[dict[str, Any]]:
    """Return the inputs of a step, or of each item that is shown; none where it took nothing."""
    inputs = node.inputs or {}
    return inputs["items"] if node.n_items is not None and inputs else [inputs] if inputs else []


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
