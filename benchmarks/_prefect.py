"""Prefect 3 beside us, offline: what lies between two tasks of a flow, and runs that are queued."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from _peers import peer_python

__all__ = ["PrefectRuns", "between_tasks", "served"]

PROGRAMS = Path(__file__).parent / "workflow_peers"
LIMIT_S = 300.0
POLL_S = 1  # the least that its runner takes; 10 by default


def between_tasks(n_tasks: int, n_flows: int) -> list[float]:
    """Return the ms from one task to the next of each flow; empty if Prefect is not here."""
    python = peer_python("prefect", "prefect>=3,<4")
    if python is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [str(python), str(PROGRAMS / "prefect_program.py"), str(n_tasks), str(n_flows)],
            env=_environment(folder), capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    if ran.returncode != 0:
        print(f"Prefect did not run: {ran.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return []
    found: list[float] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found


class PrefectRuns:
    """A server, a flow that it serves, and a program that queues runs of it."""

    def __init__(self, asking: "subprocess.Popen[str]") -> None:
        self._asking: IO[str] = asking.stdin  # type: ignore[assignment]
        self._said: IO[str] = asking.stdout  # type: ignore[assignment]

    def done(self, n_runs: int = 1) -> list[list[int]]:
        """Queue runs at once; return when each was asked for, began and ended, in ns."""
        self._asking.write(f"{n_runs}\n")
        self._asking.flush()
        if not (line := self._said.readline()):
            raise RuntimeError("Prefect's program ended; its standard error has why")
        found: list[list[int]] = json.loads(line)
        return found


@contextmanager
def served() -> Iterator[PrefectRuns | None]:
    """Serve a flow that has run once; None if Prefect is not here.

    It is what Prefect's users do for runs that are queued: a server, ``flow.serve`` with two runs
    at once, and ``run_deployment``. Each run has a process of its own, as Prefect does it.
    """
    python = peer_python("prefect", "prefect>=3,<4")
    if python is None:
        yield None
        return
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        environment, port = _environment(folder), _free_port()
        environment |= {
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_RUNNER_POLL_FREQUENCY": str(POLL_S),
            "BENCH_LEDGER": f"{folder}/ledger",
        }

        def start(*command: str, is_asked: bool = False) -> "subprocess.Popen[str]":
            pipe = subprocess.PIPE if is_asked else subprocess.DEVNULL
            process = subprocess.Popen(
                [str(python), *command], env=environment, stdin=pipe, stdout=pipe,
                stderr=None if is_asked else subprocess.DEVNULL, text=True, cwd=folder,
                start_new_session=True,
            )  # fmt: skip
            opened.callback(_end, process)
            return process

        start("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
        _until(lambda: _answers(f"http://127.0.0.1:{port}/api/health"), "Prefect's server answers")
        program = str(PROGRAMS / "prefect_served.py")
        start(program, "serve")
        named = f"http://127.0.0.1:{port}/api/deployments/name/short/bench"
        _until(lambda: _answers(named), "Prefect serves the flow")
        runs = PrefectRuns(start(program, "ask", is_asked=True))
        runs.done()
        yield runs


def _environment(folder: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "PREFECT_HOME": folder,
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _until(holds: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"It took more than {LIMIT_S:.0f} s until {what}")
        time.sleep(0.2)


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill a process with those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.communicate()
