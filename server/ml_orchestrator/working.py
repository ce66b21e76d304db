"""Workers in a terminal: ``ml-orchestrator worker status|stop|restart``."""

import argparse
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import psutil

from ml_orchestrator.errors import ConflictError, PermissionDeniedError, UnavailableError
from ml_orchestrator.orchestration.launch import start_worker
from ml_orchestrator.orchestration.leases import Lease, is_running, kill
from ml_orchestrator.orchestration.schedules.store import Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of, is_shared
from ml_orchestrator.orchestration.workers import (
    NO_WORKER,
    WorkerView,
    ask_to_leave,
    look_at_workers,
)
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["run_working"]

LOOK_S = 0.1
SAID_AFTER_S = 2.0  # what leaves within that needs no word
BEGIN_S = 5.0  # between its lease and its note
KILL_S = 30.0
MOST_TURNS = 3  # servers start workers, too, and may be faster
_log = logging.getLogger(__name__)


def run_working(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act on the workers of the data directory; those of other machines are only shown."""
    return _ACTS[arguments.act](settings, arguments)


def _status(settings: Settings, _: argparse.Namespace) -> int:
    found = look_at_workers(settings)
    for worker in found:
        print(_described(worker))
    if not found:
        print(NO_WORKER)
    return 0


def _described(worker: WorkerView) -> str:
    at = f"Process {worker.lease.pid} on {worker.lease.host}"
    if worker.has_died:
        return f"{at} has died; the next worker takes over its runs"
    if worker.is_silent:
        return f"{at} is silent for {worker.silent_s:.0f} s; the next worker replaces it"
    if worker.is_asked:
        return f"{at} was asked to leave and does so after the step it is at"
    more = f"\n  {worker.difference}" if worker.differs else ""
    return f"{at} is at work{more}"


def _stop(settings: Settings, given: argparse.Namespace) -> int:
    _refuse_read_only(settings)
    ended = _end(settings, is_now=given.now)
    for lease in ended:
        print(f"Process {lease.pid} has left.")
    if not ended:
        print("No worker is at work here.")
    elif _is_scheduled(settings):
        print("A schedule or a monitor is enabled: a server that runs starts a worker for it.")
    return 0


def _is_scheduled(settings: Settings) -> bool:
    """Whether a schedule is enabled, as far as is known: the worker has left in any case."""
    try:
        with closing(open_database(settings.state_url, settings.home)) as database:
            return Schedules(database, home_id=home_of(settings)).has_enabled()
    except UnavailableError as error:
        _log.debug("Schedules could not be looked at: %s", error)
        return False


def _restart(settings: Settings, given: argparse.Namespace) -> int:
    """End the workers of this machine and start as many with the environment of this process."""
    _refuse_read_only(settings)
    for _ in range(MOST_TURNS):
        n_ended = len(_end(settings, is_now=given.now))
        begun = _begin(settings, max(1, n_ended))
        if begun and not any(worker.differs for worker in begun):
            break
    for worker in begun:
        print(_described(worker))
    return 1 if not begun or any(worker.differs for worker in begun) else 0


_ACTS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "status": _status,
    "stop": _stop,
    "restart": _restart,
}


def _refuse_read_only(settings: Settings) -> None:
    if settings.mode == "read-only":
        raise PermissionDeniedError(
            "This installation runs read-only; no worker is ended or started from here."
        )


def _end(settings: Settings, *, is_now: bool) -> list[Lease]:
    """Have the workers of this machine leave, wait until they have, and return who they were.

    One that hangs is not waited for: the next worker ends it.

    Raises:
        ConflictError: one is of a release that cannot be asked.
    """
    found = _here(settings)
    for worker in found:
        if is_now:
            ask_to_leave(settings, worker)  # else servers take it for one that died
            _kill(worker.lease)
        elif not _ask(settings, worker):
            raise ConflictError(
                f"Worker {worker.lease.pid} is of a release that cannot be asked to leave. Wait "
                "until it has nothing to do, or end it with --now: the step it is at is done again."
            )
    leases = [worker.lease for worker in found]
    _await_end(settings, leases)
    return leases


def _ask(settings: Settings, worker: WorkerView) -> bool:
    """Ask a worker to leave, once it has noted that it began; False if it never does."""
    give_up_at = time.monotonic() + BEGIN_S
    while not ask_to_leave(settings, worker):
        if time.monotonic() > give_up_at or not is_running(worker.lease):
            return not is_running(worker.lease)
        time.sleep(LOOK_S)
    return True


def _kill(lease: Lease) -> None:
    try:
        kill(lease, wait_s=KILL_S)
    except psutil.AccessDenied as error:
        raise PermissionDeniedError(f"Process {lease.pid} is of another user.") from error


def _await_end(settings: Settings, leases: Sequence[Lease]) -> None:
    said_at = time.monotonic() + SAID_AFTER_S
    while left := [lease for lease in leases if is_running(lease)]:
        hanging = {each.lease.executor_id for each in look_at_workers(settings) if each.is_silent}
        if all(lease.executor_id in hanging for lease in left):
            return
        if time.monotonic() >= said_at:
            pids = ", ".join(str(lease.pid) for lease in left)
            print(
                f"Process {pids} leaves after the step it is at (`{program()} runs list` shows "
                "whose). Ctrl-C leaves it to that; --now would cut it off, to be done again.",
                file=sys.stderr,
                flush=True,
            )
            said_at = float("inf")
        time.sleep(LOOK_S)


def _here(settings: Settings) -> list[WorkerView]:
    """Return the workers of this machine that are well."""
    return [each for each in look_at_workers(settings) if each.lease.is_here and each.is_well]


def _begin(settings: Settings, n_workers: int) -> list[WorkerView]:
    """Start workers and return all that are at work on this machine.

    Raises:
        UnavailableError: one ended at its start; the message says where its log is.
    """
    n_beside = n_workers - 1 if is_shared(settings) else 0
    started = [start_worker(settings)]
    started += [start_worker(settings, "--beside") for _ in range(n_beside)]
    while not _have_begun(settings, started):
        time.sleep(LOOK_S)
    return _here(settings)


def _have_begun(settings: Settings, started: Sequence["subprocess.Popen[bytes]"]) -> bool:
    """Whether each has its lease, or has left since another one is at work."""
    for process in started:
        if process.returncode:
            raise UnavailableError(
                f"The worker cannot start (exit code {process.returncode}); the reason is in "
                f"{settings.home / 'logs' / 'worker.log'}. Runs stay queued until one can."
            )
    at_work = {each.lease.pid for each in _here(settings) if each.differs is not None}
    return all(process.pid in at_work or process.returncode == 0 for process in started)
