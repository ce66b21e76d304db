"""One client's session: answered from the manifest at first, then a proxy onto the server.

The main thread calls ``receive``, the server's reader ``pass_on``, threads of hooks
``call_hook``, the keeper the rest. The reader takes no lock that is held while somebody writes to
the server, so the server can always write meanwhile.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from ml_orchestrator.launcher.hook_calls import HookCalls, answer_alone
from ml_orchestrator.launcher.manifest import Manifest, acknowledged_id, is_modern
from ml_orchestrator.launcher.wire import (
    Message,
    Output,
    answered_id,
    error,
    id_key,
    meta_of,
    params_of,
    parse,
    progress,
    to_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Session"]

_OPENING_ID = "ml-orchestrator-launch"
_OPENING_KEY = id_key(_OPENING_ID)


class Session:
    """What a client has asked for, what waits for the server, and what the server owes."""

    def __init__(self, manifest: Manifest, output: Output) -> None:
        self._manifest = manifest
        self._output = output
        self._began_s = time.monotonic()
        self._told_s = 0.0
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._opening: Message | None = None
        self._initialized: bytes | None = None
        self._held: list[tuple[bytes, Message]] = []
        self._listens: dict[bytes, bytes] = {}
        self._owed: dict[bytes, Message] = {}
        self._server: IO[bytes] | None = None
        self._greeted = threading.Event()
        self._swallowed: set[bytes] = set()
        self._refusal: str | None = None
        self._reported = ""
        self._hooks = HookCalls()

    # What the client says.

    def receive(self, line: bytes) -> None:
        """Take a line from the client."""
        message = parse(line)
        with self._lock:
            self._note(line, message)
            own = answer_alone(message, self._manifest.extras(message))
            if own is not None:
                self._reply(message, own)
            elif self._server is not None:
                self._forward(self._server, line, message)
            else:
                self._do_without_server(line, message)

    def _note(self, line: bytes, message: Message) -> None:
        """Remember what a server that starts later has to be told."""
        method = message.get("method")
        self._hooks.note(message)
        if self._opening is None and "method" in message and "id" in message:
            self._opening = message
        if method == "notifications/initialized":
            self._initialized = line
        elif method == "subscriptions/listen" and self._manifest.answer(message):
            self._listens[id_key(message["id"])] = line
        elif method == "notifications/cancelled":
            self._listens.pop(_cancelled(message), None)
            self._owed.pop(_cancelled(message), None)

    def _do_without_server(self, line: bytes, message: Message) -> None:
        method = message.get("method")
        # The server meets the handshake that came first; a second one is its to judge.
        is_late = method == "initialize" and message is not self._opening
        answer = None if is_late else self._manifest.answer(message)
        if answer is not None:
            self._output.send(answer)
        elif method == "notifications/cancelled":
            self._held = [h for h in self._held if id_key(h[1].get("id")) != _cancelled(message)]
        elif method != "notifications/initialized":
            self._hold(line, message)

    def _hold(self, line: bytes, message: Message) -> None:
        if self._refusal is not None:
            self._refuse(message, self._refusal)
            return
        self._held.append((line, message))
        if "id" in message:
            self._wanted.set()

    def _forward(self, server: IO[bytes], line: bytes, message: Message) -> None:
        if "method" in message and "id" in message:
            self._owed[id_key(message["id"])] = message
        # Where the server has ended, ``lose_server`` follows and answers what is owed.
        with suppress(OSError, ValueError):
            server.write(line)
            server.flush()

    # What hooks say that are programs.

    def call_hook(self, tool: str, arguments: Mapping[str, str], limit_s: float) -> Message:
        """Let the server answer a hook; return its response, an empty one if there is no need.

        There is none where the client calls the tools of hooks by itself.

        Raises:
            TimeoutError: no answer within ``limit_s``; the server is told that nobody waits.
        """
        ends_s = time.monotonic() + limit_s
        if self._hooks.come_by_tool(limit_s):
            return {}
        with self._lock:
            call, answer = self._hooks.begin(self._opening, tool, arguments)
            own = answer_alone(call, self._manifest.extras(call))
            if own is not None:
                self._reply(call, own)
            elif self._server is not None:
                self._forward(self._server, to_line(call), call)
            else:
                self._hold(to_line(call), call)
        try:
            return parse(answer.get(timeout=max(ends_s - time.monotonic(), 0.0)))
        except queue.Empty:
            params = {"requestId": call["id"]}
            self.receive(to_line({"method": "notifications/cancelled", "params": params}))
            raise TimeoutError(tool) from None

    # What the server says.

    def pass_on(self, line: bytes) -> None:
        """Take a line from the server; answers to what the launcher asked end here."""
        answered = answered_id(line)
        if answered == _OPENING_KEY:
            self._greeted.set()
            return
        if answered is not None:
            self._owed.pop(answered, None)
            self._listens.pop(answered, None)
            if self._hooks.settle(answered, line):
                return
        elif self._swallowed and (acknowledged := acknowledged_id(line)) in self._swallowed:
            self._swallowed.discard(acknowledged)
            return
        self._output.pass_on(line)

    def end_greeting(self) -> None:
        """Note that the server has ended, so nobody waits for its first answer."""
        self._greeted.set()

    # What becomes of the server.

    def greet(self, server: IO[bytes]) -> None:
        """Greet a new server as the client did, and wait until it answers or ends."""
        with self._lock:
            # From here on an ``initialize`` is the server's to answer, unless it was the first.
            self._opening = self._opening or {"method": "ping"}
            self._greeted.clear()
            self._forward(server, to_line(_greeting(self._opening)), {})
        self._greeted.wait()

    def hand_over(self, server: IO[bytes]) -> None:
        """Give everything that waited to the server, in order, and every later line."""
        with self._lock:
            listens = dict(self._listens)
            self._swallowed = set(listens)
            opened = [self._initialized] if self._initialized else []
            for line in [*opened, *listens.values()]:
                self._forward(server, line, {})
            for line, message in self._held:
                self._forward(server, line, message)
            self._held.clear()
            self._wanted.clear()
            self._server = server

    def lose_server(self, text: str) -> None:
        """Answer what the server still owed with an error; later calls wait for another one."""
        with self._lock:
            self._server = None
            owed = [m for key, m in self._owed.items() if key not in self._listens]
            self._owed.clear()
            for message in owed:
                self._refuse(message, text)

    def refuse_waiting(self, text: str) -> None:
        """Answer every waiting call with an error; the next one may fare better."""
        with self._lock:
            for _, message in self._held:
                self._refuse(message, text)
            self._held.clear()
            self._wanted.clear()

    def refuse_for_good(self, text: str) -> None:
        """Answer every waiting and every later call with an error."""
        self.refuse_waiting(text)
        with self._lock:
            self._refusal = text

    def wait_until_wanted(self) -> None:
        """Wait for a call that only the server can answer."""
        self._wanted.wait()

    def report(self, text: str) -> None:
        """Tell those who wait how far things are, and the log once."""
        with self._lock:
            # What is told must rise each time, however soon that is.
            elapsed_s = time.monotonic() - self._began_s
            self._told_s = round(max(elapsed_s, self._told_s + 0.1), 1)
            waiting = [progress(message, self._told_s, text) for _, message in self._held]
        for notification in filter(None, waiting):
            self._output.send(notification)
        if text != self._reported:
            self._reported = text
            sys.stderr.write(f"ml-orchestrator: {text}\n")
            sys.stderr.flush()

    def _refuse(self, message: Message, text: str) -> None:
        if "method" in message and "id" in message:
            self._reply(message, error(message, text, self._manifest.extras(message)))

    def _reply(self, message: Message, answer: Message) -> None:
        """Give an answer of ours to who asked: a hook that is a program, or the client."""
        if not self._hooks.settle(id_key(message["id"]), to_line(answer)):
            self._output.send(answer)


def _greeting(opening: Message) -> Message:
    """Return a request of the launcher's own like the one that a client began with."""
    if opening["method"] == "initialize":
        return {**opening, "id": _OPENING_ID}
    if is_modern(opening):
        params = {"_meta": meta_of(opening)}
        return {"id": _OPENING_ID, "method": "server/discover", "params": params}
    return {"id": _OPENING_ID, "method": "ping"}


def _cancelled(message: Message) -> bytes:
    return id_key(params_of(message).get("requestId"))
