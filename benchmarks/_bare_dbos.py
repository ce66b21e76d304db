"""Bare DBOS beside us: processes of it that run workflows, and a client that queues them."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dbos import DBOS, DBOSClient

__all__ = ["Bare", "bare", "bare_team"]

PROGRAM = Path(__file__).parent / "workflow_peers" / "dbos_program.py"
POLL_S = 0.1
LIMIT_S = 3_600.0


class Bare:
    """Processes of bare DBOS that run workflows of so many steps, and a client of them."""

    def __init__(
        self, url: str, folder: Path, n_steps: int, *, step_s: float = 0.0, n_processes: int = 1
    ) -> None:
        given = [url, str(POLL_S), str(n_steps), str(step_s), str(folder / "bare.ledger")]
        self.n_processes = n_processes
        self._said: queue.Queue[str] = queue.Queue()
        self._processes = [self._started(given) for _ in range(n_processes)]
        for _ in self._processes:
            assert self._said.get(timeout=LIMIT_S) == "listens\n"
        self._client = DBOSClient(system_database_url=url, application_name="bare")

    def _started(self, given: list[str]) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *given],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        threading.Thread(target=self._hear, args=(process.stdout,), daemon=True).start()
        return process

    def _hear(self, output: IO[str]) -> None:
        for line in output:
            self._said.put(line)

    def enqueue(self) -> int:
        """Queue a workflow and return when that was asked for, in ns."""
        asked_ns = time.time_ns()
        options = {"workflow_name": "bare", "queue_name": "bare", "app_version": "1"}
        self._client.enqueue(options, "x")  # type: ignore[arg-type]
        return asked_ns

    def ended(self) -> dict[str, int]:
        """Wait for the end of the next workflow and return when it began and ended, in ns."""
        said: dict[str, int] = json.loads(self._said.get(timeout=LIMIT_S))
        return said

    def close(self) -> None:
        """End them."""
        self._client.destroy()
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def bare(n_steps: int) -> Iterator[Bare]:
    """Open bare DBOS on a fresh file, in one process that has run something."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = Bare(f"sqlite:///{folder}/bare.db", Path(folder), n_steps)
        with _warm(opened):
            yield opened


@contextmanager
def bare_team(url: str, n_steps: int, *, step_s: float, n_processes: int) -> Iterator[Bare]:
    """Open bare DBOS on a Postgres, in several processes."""
    DBOS.migrate(url)  # before they begin together
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = Bare(url, Path(folder), n_steps, step_s=step_s, n_processes=n_processes)
        with _warm(opened):
            yield opened


@contextmanager
def _warm(opened: Bare) -> Iterator[None]:
    """Let each process run something; end them all afterwards."""
    try:
        for _ in range(opened.n_processes):
            opened.enqueue()
        for _ in range(opened.n_processes):
            opened.ended()
        yield
    finally:
        opened.close()
