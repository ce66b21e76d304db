"""A client that sees every line the launcher writes."""

import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["MODERN", "RawClient"]

LIMIT_S = 120.0
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}


class RawClient:
    """Starts a program and speaks with it line by line; every wait has a limit."""

    def __init__(
        self, command: Sequence[str | Path], environ: Mapping[str, str], folder: Path
    ) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self.log: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note("".join(self.log[-30:]))
        self.end()

    def end(self) -> int:
        """Close the launcher's input, as a client that leaves does; return its exit status."""
        assert self.process.stdin
        self.process.stdin.close()
        status = self.process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join(LIMIT_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        return status

    def kill(self) -> None:
        """Kill the launcher, and it alone, without a chance to tidy up."""
        self.process.kill()
        self.process.wait(LIMIT_S)

    def send(self, method: str, identifier: Any = None, /, **params: Any) -> None:
        """Send a request, or a notification where no id is given."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if identifier is not None:
            message["id"] = identifier
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def shake_hands(self) -> dict[str, Any]:
        """Open a session of the handshake era; return the result of ``initialize``."""
        self.send("initialize", "hello", **HANDSHAKE)
        result = self.answer("hello")
        self.send("notifications/initialized")
        return result

    def receive(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(self._lines.get(timeout=LIMIT_S))
        return message

    def answer(self, identifier: Any) -> dict[str, Any]:
        """Return the result of a request, passing over what comes before it."""
        while (message := self.receive()).get("id") != identifier:
            pass
        result: dict[str, Any] = message["result"]
        return result

    def call(self, identifier: Any, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool in the handshake era and return its result."""
        self.send("tools/call", identifier, name=tool, arguments=arguments)
        return self.answer(identifier)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)

    def _read_log(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
