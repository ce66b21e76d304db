"""Gets the environment, starts the server in it, and once more if it crashes."""

from __future__ import annotations

import os
import threading
import traceback
from typing import TYPE_CHECKING

from ml_orchestrator.launcher.environment import Environments
from ml_orchestrator.launcher.installing import Installer, SetupError
from ml_orchestrator.launcher.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ml_orchestrator.launcher.session import Session

__all__ = ["Keeper"]

_ENDED = "The ml-orchestrator server ended unexpectedly ({how}) before it had answered this call. "
_RESTARTED = _ENDED + (
    "It is being started again. What the call changes may have happened or not: look before "
    "repeating it."
)
_GONE = _ENDED + (
    "It had been started again once already and is not started any more in this session. "
    "Reconnect it (/mcp in Claude Code) or start a new session when the cause is mended."
)
_FAILED = (
    "The launcher of ml-orchestrator failed ({error}), so no server is started in this session. "
    "Reconnect it (/mcp in Claude Code) or start a new session; its log has the details."
)


class Keeper:
    """Sees to the server, in a thread of its own, until the client ends.

    Args:
        root: The plug-in's folder.
        data: Where environments are kept.
        arguments: Passed on to ``ml-orchestrator mcp``.
        session: Told what becomes of the server.
        on_ready: Told once which interpreter serves this session, also after a crash: an upgrade
            in place meanwhile is for other sessions.
    """

    def __init__(
        self,
        root: Path,
        data: Path,
        arguments: Sequence[str],
        session: Session,
        on_ready: Callable[[Path], None],
    ) -> None:
        self._arguments = arguments
        self._session = session
        self._on_ready = on_ready
        self._installer = Installer()
        self._environments = Environments(root, data, self._installer)
        self._closing = threading.Lock()
        self._server: ServerProcess | None = None
        self._is_closed = False

    def start(self) -> None:
        """Begin, without waiting for anything."""
        threading.Thread(target=self._watch, name="keeper", daemon=True).start()

    def close(self) -> None:
        """End the installer or the server, whichever runs."""
        with self._closing:
            self._is_closed = True
            self._installer.stop()
        if self._server is not None:
            self._server.close()

    def _watch(self) -> None:
        """Keep the server; whatever goes wrong, nobody waits for an answer that will not come."""
        try:
            self._keep()
        except Exception as error:  # noqa: BLE001 - the top of a thread
            traceback.print_exc()
            self._session.refuse_for_good(_FAILED.format(error=repr(error)))

    def _keep(self) -> None:
        python = self._wait_for_python()
        self._on_ready(python)
        self._serve(python, _RESTARTED)
        if not os.access(python, os.X_OK):  # somebody has removed it by hand
            python = self._wait_for_python()
        how = self._serve(python, _GONE)
        self._session.refuse_for_good(_GONE.format(how=how))

    def _serve(self, python: Path, farewell: str) -> str:
        """Run a server until it ends; return how it ended."""
        try:
            how = self._run(self._start_server(python))
        except OSError as error:
            how = f"it could not be started: {error}"
        self._session.lose_server(farewell.format(how=how))
        return how

    def _run(self, server: ServerProcess) -> str:
        self._session.greet(server.stdin)
        if not server.has_ended:
            self._session.hand_over(server.stdin)
        return server.wait()

    def _wait_for_python(self) -> Path:
        """Return the interpreter; each failure is told to those who wait, the next call retries."""
        while True:
            try:
                return self._environments.python(self._session.report)
            except SetupError as error:
                self._session.report(str(error))
                self._session.refuse_waiting(str(error))
            self._session.wait_until_wanted()

    def _start_server(self, python: Path) -> ServerProcess:
        with self._closing:
            if self._is_closed:
                raise SystemExit
            self._server = ServerProcess(str(python), self._arguments, self._session)
            return self._server
