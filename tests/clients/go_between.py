"""A program before the server: notes what the client asks, and spoils what it is told to.

Started with the bare interpreter, as the launcher is. The server's answers go straight to the
client.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["calls", "main", "requests"]

METHOD_NOT_FOUND = -32601


def main() -> None:
    """Pass the lines of the client on to the server until either ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="file for what is asked")
    parser.add_argument("--unknown", help="a method that the server is not to know")
    parser.add_argument("--unanswered", help="a tool that is not to answer")
    parser.add_argument("--last", help="a tool at whose call all ends, and never starts again")
    parser.add_argument("server", nargs="+", help="command that starts the server")
    told = parser.parse_args()
    if told.last in calls(told.log):
        sys.exit("The server is gone.")
    with (
        told.log.open("a", buffering=1) as log,
        subprocess.Popen(told.server, stdin=subprocess.PIPE, text=True, bufsize=1) as server,
    ):
        assert server.stdin is not None
        for line in sys.stdin:
            log.write(line)
            request = json.loads(line)
            method, tool = request.get("method"), called(request)
            if tool and tool == told.last:
                break
            if method == told.unknown:
                refuse(request)
            elif not tool or tool != told.unanswered:
                server.stdin.write(line)


def requests(log: Path) -> list[dict[str, Any]]:
    """Return all that the client sent, oldest first."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def calls(log: Path) -> list[str]:
    """Return the tools that the client called, hidden ones too, oldest first."""
    return [tool for request in requests(log) if (tool := called(request))]


def called(request: Mapping[str, Any]) -> str | None:
    return request["params"]["name"] if request.get("method") == "tools/call" else None


def refuse(request: Mapping[str, Any]) -> None:
    error = {"code": METHOD_NOT_FOUND, "message": f"Method not found: {request['method']}"}
    answer = {"jsonrpc": "2.0", "id": request["id"], "error": error}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
