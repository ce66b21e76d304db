"""Model servers that outlive whoever starts them: start, find, stop."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.address import Address, find_address
from ml_orchestrator.serving.asking import ask_status
from ml_orchestrator.settings import Settings

__all__ = ["ALREADY_SERVED", "find_server", "start_server", "stop_server"]

READY_S = 60.0
STOP_S = 45.0  # longer than a server drains
LOOK_S = 0.05
ALREADY_SERVED = 3  # exit code of ``serve``
_log = logging.getLogger(__name__)


def find_server(settings: Settings, model: str) -> Address | None:
    """Return the server of ``model`` that is alive and answers, if there is one."""
    address = find_address(settings.home, model)
    return address if address is not None and _answers(address) else None


def start_server(
    settings: Settings,
    model: str,
    *,
    version: int | None = None,
    alias: str | None = None,
    isolate: bool = False,
    ready_s: float = READY_S,
) -> Address:
    """Return the running server of ``model``, started and waited for if there is none.

    Args:
        settings: Which data directory.
        model: Name of the registered model.
        version: What a new server starts with; None takes the one that ``alias`` points to. A
            server that runs already keeps what it has.
        alias: What a new server follows; None is ``champion``, or nothing if a version is given.
        isolate: Whether a new server keeps its model in a process of its own.
        ready_s: How long a new server may take, in seconds.

    Raises:
        UnavailableError: it did not come up; the message says where its log is.
    """
    if (running := find_server(settings, model)) is not None:
        return running
    log = settings.home / "logs" / f"serving-{model}.log"
    process = _spawn(settings, _arguments(model, version, alias, isolate), log)
    until = time.monotonic() + ready_s
    while time.monotonic() < until:
        if (running := find_server(settings, model)) is not None:
            return running
        if process.poll() is not None:
            break  # another server may have won: then it is found above, or below
        time.sleep(LOOK_S)
    if (running := _other(settings, model, process, until)) is not None:
        return running
    _end(process.pid, STOP_S)
    raise UnavailableError(
        f"The server of {model!r} did not come up within {ready_s:g} s "
        f"(exit code {process.poll()}); the reason is in {log}: {_last_line(log)}"
    )


def stop_server(settings: Settings, model: str, *, wait_s: float = STOP_S) -> bool:
    """Let the server of ``model`` finish its requests and end; return whether there was one.

    A server that is not gone after ``wait_s`` seconds is killed.

    Raises:
        UnavailableError: it does not end even so.
    """
    address = find_address(settings.home, model)
    if address is None:
        return False
    _end(address.pid, wait_s)
    return True


def _arguments(model: str, version: int | None, alias: str | None, isolate: bool) -> list[str]:
    named = [] if version is None else ["--version", str(version)]
    named += [] if alias is None else ["--alias", alias]
    return ["serve", "--model", model, *named, *(["--isolate"] if isolate else [])]


def _spawn(settings: Settings, arguments: list[str], log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ml_orchestrator", *arguments],
            cwd=settings.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(settings),
            start_new_session=True,
        )
    _log.info("Started model server %d, logging to %s", process.pid, log)
    # Somebody has to take its exit status, or it stays as a zombie.
    threading.Thread(target=process.wait, name="serving-exit", daemon=True).start()
    return process


def _other(
    settings: Settings, model: str, process: "subprocess.Popen[bytes]", until: float
) -> Address | None:
    """Return the server that another process started at the same moment, once it is ready."""
    while process.poll() == ALREADY_SERVED and time.monotonic() < until:
        if (running := find_server(settings, model)) is not None:
            return running
        time.sleep(LOOK_S)
    return None


def _answers(address: Address) -> bool:
    return ask_status(address.url, "/live", timeout_s=2.0) == 200


def _end(pid: int, wait_s: float) -> None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for stop in (process.terminate, process.kill):
            stop()
            if _has_ended(process, wait_s):
                return
        raise UnavailableError(f"The model server, process {pid}, does not end.")


def _has_ended(process: psutil.Process, wait_s: float) -> bool:
    """Wait for a process to end; its exit status may stay with a parent that does not ask."""
    until = time.monotonic() + wait_s
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_S)
    return True


def _last_line(log: Path) -> str:
    with suppress(OSError, IndexError):
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-1][-500:]
    return "it is empty"
