"""How long from starting a server to its answer to ``initialize``, over stdio.

Beside ours: the smallest server of the same SDK, ``mlflow mcp run`` and optuna-mcp, each in
an environment of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _figures import Figure, arguments, in_turns, show
from _peers import peer_python

HERE = Path(__file__).parent
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "startup", "version": "1"},
    },
}
GOALS = {"bare mcp server": 1.15}
LIMIT_S = 60.0


def handshake_s(command: Sequence[str], folder: Path) -> float:
    """Start a server, send ``initialize``, and return the seconds until its answer."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        assert server.stdin
        assert server.stdout
        server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        took = time.perf_counter() - began
        server.kill()
    if b'"result"' not in answer:
        raise SystemExit(f"{command} did not answer initialize: {answer[:200]!r}")
    return took


def subjects(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is measured, ours first; peers that cannot be installed are left out."""
    commands: dict[str, list[str]] = {
        "ours": [sys.executable, "-m", "ml_orchestrator", "mcp"],
        "bare mcp server": [sys.executable, str(HERE / "bare_server.py")],
    }
    if python := peer_python("mlflow-mcp", "mlflow[mcp]>=3.17,<4"):
        commands["mlflow mcp run"] = [str(python.parent / "mlflow"), "mcp", "run"]
    if python := peer_python("optuna-mcp", "optuna-mcp"):
        commands["optuna-mcp"] = [str(python.parent / "optuna-mcp")]
    return {name: partial(handshake_s, command, folder) for name, command in commands.items()}


def main() -> None:
    """Measure in turns and print medians."""
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        measured = subjects(Path(folder))
        in_turns(measured, rounds=1)  # fills the page cache and byte code
        found = in_turns(measured, rounds=5 if options.quick else 21)
    ours = statistics.median(found.pop("ours"))
    absent: dict[str, float | None] = dict.fromkeys(("mlflow mcp run", "optuna-mcp"))
    peers = {**absent, **{name: statistics.median(values) for name, values in found.items()}}
    figures = [
        Figure(
            "spawn to initialize",
            "s",
            ours,
            peer,
            name,
            GOALS.get(name),
            len(found[next(iter(found))]),
        )
        for name, peer in peers.items()
    ]
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
