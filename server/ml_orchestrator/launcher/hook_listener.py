"""Hears hooks that are programs on a private socket and lets the session's server answer them.

A line ``TOOL LIMIT_S`` comes with the hook's input behind it, as JSON; a line ``answer`` or
``error`` goes back, with the tool's JSON or the reason behind it. The socket is for one user and
one client, and takes the hidden hook tools alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_orchestrator.launcher.hook_place import FIELDS, MOST_BYTES, check_private
from ml_orchestrator.launcher.wire import Message, parse

if TYPE_CHECKING:
    from ml_orchestrator.launcher.session import Session

__all__ = ["HookListener"]

_READ_LIMIT_S = 5.0
_LONGEST_S = 180.0
_AT_ONCE = 16


class HookListener:
    """Listens in threads of its own until it is closed.

    Args:
        session: Whose server answers.
        place: Path of the socket. A newer launcher of the same client takes it over.
    """

    def __init__(self, session: Session, place: str) -> None:
        self._session = session
        self._place = Path(place)
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._socket = socket.socket(socket.AF_UNIX)
        self._inode = 0

    def start(self) -> None:
        """Listen; where that cannot be, the log says so and only hooks of this kind miss it."""
        try:
            self._listen()
        except OSError as error:
            sys.stderr.write(f"ml-orchestrator: hooks that are programs are not heard: {error}\n")
            self._socket.close()
            return
        threading.Thread(target=self._accept, name="hooks", daemon=True).start()

    def close(self) -> None:
        """Hear nobody any more, and leave no socket behind."""
        with suppress(OSError):
            if self._inode and self._place.stat().st_ino == self._inode:
                self._place.unlink()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _listen(self) -> None:
        folder = self._place.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(str(folder))
        _sweep(folder)
        draft = folder / f"{self._place.name}.{os.getpid()}"
        self._socket.bind(str(draft))
        draft.chmod(0o600)
        self._socket.listen(_AT_ONCE)
        self._inode = draft.stat().st_ino
        draft.replace(self._place)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self._free.acquire()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):  # the program has gone
                connection.settimeout(_READ_LIMIT_S)
                with connection.makefile("rb") as stream:
                    opening, given = stream.readline(100), stream.read(MOST_BYTES)
                kind, text = self._answer(opening.decode(errors="replace").split(), given)
                connection.sendall(f"{kind}\n{text}".encode())
        finally:
            self._free.release()

    def _answer(self, opening: list[str], given: bytes) -> tuple[str, str]:
        """Return which kind of answer a hook gets, and the answer."""
        tool, limit = [*opening, "", ""][:2]
        fields = FIELDS.get(tool)
        if fields is None or not limit.isdigit():
            return "error", f"{' '.join(opening)[:60]!r} is no hook; known: {', '.join(FIELDS)}."
        values = parse(given)
        if not values:
            return "error", f"The input of {tool} is no JSON object, or an empty one."
        arguments = {name: _text(values.get(name)) for name in fields}
        try:
            return _plain(self._session.call_hook(tool, arguments, min(int(limit), _LONGEST_S)))
        except TimeoutError:
            return "error", f"The server did not answer {tool} within {limit} s."


def _text(value: Any) -> str:
    """Return a value as Claude Code writes it into the input of a tool's hook."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _plain(response: Message) -> tuple[str, str]:
    """Return what a tool said: JSON for the client, or why there is none."""
    if "error" in response:
        return "error", str(response["error"].get("message"))
    result = response.get("result", {})
    text = "".join(part.get("text", "") for part in result.get("content", []))
    return ("error" if result.get("isError") else "answer"), text


def _sweep(folder: Path) -> None:
    """Remove sockets of clients that have ended; their launchers were killed."""
    for file in folder.iterdir():
        client = file.name.partition(".sock")[0]
        if not client.isdecimal():
            continue
        try:
            os.kill(int(client), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except (PermissionError, OverflowError, ValueError):
            continue  # another user's process has the number by now, or it is none of a process
