"""Bare DBOS beside us: a process of it that runs workflows, and a client that queues them."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dbos import DBOSClient

__all__ = ["Bare", "bare"]

PROGRAM = Path(__file__).parent / "workflow_peers" / "dbos_program.py"
POLL_S = 0.1


class Bare:
    """A process of bare DBOS that runs workflows of so many steps, and a client of it."""

    def __init__(self, folder: Path, n_steps: int) -> None:
        url = f"sqlite:///{folder / 'bare.db'}"
        command = [sys.executable, str(PROGRAM), url, str(POLL_S)]
        self._process = subprocess.Popen(
            [*command, str(n_steps)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._said: IO[str] = self._process.stdout  # type: ignore[assignment]
        assert self._said.readline() == "listens\n"
        self._client = DBOSClient(system_database_url=url, application_name="bare")

    def enqueue(self) -> int:
        """Queue a workflow and return when that was asked for, in ns."""
        asked_ns = time.time_ns()
        options = {"workflow_name": "bare", "queue_name": "bare", "app_version": "1"}
        self._client.enqueue(options, "x")  # type: ignore[arg-type]
        return asked_ns

    def ended(self) -> dict[str, int]:
        """Wait for the end of the next workflow and return when it began and ended, in ns."""
        said: dict[str, int] = json.loads(self._said.readline())
        return said

    def close(self) -> None:
        """End it."""
        self._client.destroy()
        self._process.kill()
        self._process.communicate()


@contextmanager
def bare(n_steps: int) -> Iterator[Bare]:
    """Open bare DBOS on a fresh file."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = Bare(Path(folder), n_steps)
        try:
            opened.enqueue()
            opened.ended()
            yield opened
        finally:
            opened.close()
