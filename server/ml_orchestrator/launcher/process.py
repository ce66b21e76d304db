"""The real server as a child process: its lines go to the session, its log to ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.environs import server_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ml_orchestrator.launcher.session import Session

__all__ = ["ServerProcess"]

CLOSE_LIMIT_S = 10.0


class ServerProcess:
    """One run of ``ml_orchestrator mcp``; ``has_ended`` once nothing more comes from it.

    Raises:
        OSError: the interpreter cannot be started.
    """

    def __init__(self, python: str, arguments: Sequence[str], session: Session) -> None:
        self._session = session
        self._process = subprocess.Popen(
            # -P: files of the project, which is the working directory, are no modules of ours.
            [python, "-P", "-m", "ml_orchestrator", "mcp", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=server_environment(os.environ),
        )
        assert self._process.stdin
        self.stdin = self._process.stdin
        self.has_ended = False
        self._last_words = ""
        self._readers = [
            threading.Thread(target=target, daemon=True) for target in (self._read, self._read_log)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        with suppress(OSError):  # the client has gone; so will the server
            for line in self._process.stdout:
                self._session.pass_on(line)
        self.has_ended = True
        self._session.end_greeting()

    def _read_log(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._last_words = line.decode(errors="replace").strip() or self._last_words
            with suppress(OSError):
                sys.stderr.buffer.write(line)
                sys.stderr.flush()

    def wait(self) -> str:
        """Wait for its end and say how it ended."""
        self._readers[0].join()
        status = self._process.wait()
        self._readers[1].join(timeout=1)
        how = f"exit status {status}"
        if status < 0:
            how = f"killed by {signal.Signals(-status).name}"
        return f"{how}; its last words: {self._last_words}" if self._last_words else how

    def close(self) -> None:
        """Let it end as its client has ended; insist after a while."""
        with suppress(OSError):
            self.stdin.close()
        for insist in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(CLOSE_LIMIT_S)
            except subprocess.TimeoutExpired:
                insist()
        self._process.wait()
        self._readers[0].join(timeout=1)
