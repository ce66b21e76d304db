"""Hooks as programs, for a client that knows no ``mcp_tool`` hooks; off until a person adds them.

``command_hook.py settings`` prints what to add to the client's settings: the hooks of
``hooks.json``, each as a command. Such a command calls ``command_hook.py TOOL LIMIT_S CLIENT``
with the hook's input on standard input. It asks the running server of that client, by way of the
launcher, and prints its answer; the exit status is 1 if there is none, and the command makes of
that what the hook stands for: 2, which blocks a call, or 0. Standard library alone, and little
of it: it starts anew with each hook.
"""
# ruff: noqa: PTH100, PTH118, PTH120, PTH123 - pathlib takes longer to import than all else

from __future__ import annotations

import os
import socket
import sys
import time

TYPE_CHECKING = False  # that of typing, whose import takes longer than the rest
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "server"))

from ml_orchestrator.launcher.hook_place import check_private, socket_of  # noqa: E402

__all__ = ["ask", "settings"]

SPARE_S = 1  # what the client's limit has beyond ours: its own ends a hook without blocking


def main(arguments: list[str]) -> None:
    """Do what the arguments say; where that fails, say so and exit with status 1."""
    if arguments == ["settings"]:
        sys.stdout.write(settings() + "\n")
        return
    if len(arguments) != 3:
        given = " ".join(arguments) or "nothing"
        sys.exit(
            f"ml-orchestrator: command_hook.py takes settings, or TOOL LIMIT_S CLIENT as a hook "
            f"gives them; it was given {given[:80]!r}. command_hook.py settings prints the hooks."
        )
    try:
        tool, limit_s, client = arguments[0], float(arguments[1]), int(arguments[2])
        answer = ask(tool, sys.stdin.buffer.read(), limit_s=limit_s, client=client)
    except (OSError, ValueError, LookupError) as error:
        sys.exit(f"ml-orchestrator: the hook {' '.join(arguments[:1])} failed: {error}")
    sys.stdout.buffer.write(answer)


def ask(tool: str, given: bytes, *, limit_s: float, client: int) -> bytes:
    """Return the server's answer to a hook's input, both as JSON.

    It is empty where things may take their course.

    Raises:
        OSError: the launcher of the client is not there or does not answer in time.
        ValueError: the server refused.
    """
    ends_at = time.monotonic() + limit_s
    with _connected(client, limit_s) as connection:
        connection.sendall(f"{tool} {limit_s:g}\n".encode() + given)
        connection.shutdown(socket.SHUT_WR)
        parts: list[bytes] = []
        while not parts or parts[-1]:
            connection.settimeout(max(ends_at - time.monotonic(), 0.001))
            parts.append(connection.recv(65_536))
    kind, _, said = b"".join(parts).partition(b"\n")
    if kind != b"answer":
        raise ValueError(said.decode() or "the server ended before it had answered")
    return said


def settings() -> str:
    """Return the hooks of ``hooks.json`` that call tools, as commands, for a settings file."""
    import json  # noqa: PLC0415 - for a person only; a hook does without

    with open(os.path.join(FOLDER, "hooks.json"), encoding="utf-8") as file:
        shipped = json.load(file)["hooks"]
    hooks: dict[str, Any] = {}
    for event, entries in shipped.items():
        for entry in entries:
            calls = [_command(hook) for hook in entry["hooks"] if hook["type"] == "mcp_tool"]
            if calls:
                hooks.setdefault(event, []).append({**entry, "hooks": calls})
    return json.dumps({"hooks": hooks}, indent=2)


def _command(hook: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hook as a command; what must not fail unnoticed blocks in any case of failure."""
    import shlex  # noqa: PLC0415 - as above

    failing = "exit 2" if hook.get("onFailure") == "block" else "true"
    program = f"python3 -I -S {shlex.quote(os.path.join(FOLDER, 'command_hook.py'))}"
    command = f'{program} {hook["tool"]} {hook["timeout"] - SPARE_S} "$PPID" || {failing}'
    return {"type": "command", "command": command, "timeout": hook["timeout"]}


def _connected(client: int, limit_s: float) -> socket.socket:
    """Return a connection to the launcher of the client, which started this program too."""
    named = os.environ.get("CLAUDE_PID", "")
    clients = [client, *([int(named)] if named.isdigit() else [])]
    places = [socket_of(each, os.environ) for each in clients]
    place = next(filter(os.path.exists, places), places[0])
    check_private(os.path.dirname(place))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(limit_s)
    try:
        connection.connect(place)
    except OSError as error:
        connection.close()
        raise OSError(f"no server of this session listens at {place}: {error}") from error
    return connection


if __name__ == "__main__":
    main(sys.argv[1:])
