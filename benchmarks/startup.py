"""How long from starting a server to its answer to ``initialize``, over stdio.

Ours, through the launcher as the plug-in starts it and directly, beside the smallest server of
the same SDK, ``mlflow mcp run``, optuna-mcp and the reference server ``server-memory``, each in
an environment of its own; what a call through the launcher costs more than a direct one; and what
a hook costs as a program (``hooks/command_hook.py``) beside the same hook as a call of its tool.
The launcher also has goals in seconds, printed where a peer would stand: for its handshake, and
for a first start ever, without an environment or byte code, until the client has the tools.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _figures import Figure, arguments, in_turns, show
from _peers import peer_node, peer_python

HERE = Path(__file__).parent
ROOT = HERE.parent
LIMIT_S = 60.0
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
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CALL = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "memory_load", "arguments": {"agent": "ml-orchestrator"}},
}
# The interpreter itself: a version manager's shim in its place takes its own time (pyenv 0.2 s
# where the launcher takes 0.04 s).
PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
LAUNCHER = [PYTHON, "-I", "-S", str(ROOT / "bin" / "ml-orchestrator-launch")]
SERVER = [sys.executable, "-m", "ml_orchestrator", "mcp"]
LIST_TOOLS = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}
HANDSHAKE_GOAL_S, FIRST_START_GOAL_S = 0.1, 0.2
# The launcher answers within 0.1 s, whatever the server takes; the server like an empty one.
GOALS = {("launcher", "bare mcp server"): 0.5, ("ours", "bare mcp server"): 1.15}
PEERS = ("bare mcp server", "mlflow mcp run", "optuna-mcp", "server-memory")
N_CALLS = 20
HOOK_INPUT = {
    "agent_type": "ml-orchestrator:ml-orchestrator",
    "agent_id": "benchmark",
    "session_id": "benchmark",
}
HOOK = f'{PYTHON} -I -S "{ROOT}/hooks/command_hook.py" hook_batch 10 "$PPID"'
HOOK_CALL = {**CALL, "params": {"name": "hook_batch", "arguments": HOOK_INPUT}}


class Server:
    """A running server, asked line by line."""

    def __init__(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def ask(self, message: Mapping[str, Any]) -> None:
        """Send a request and wait for its answer, which must be a result."""
        self.send(message)
        assert self._process.stdout
        answer = self._process.stdout.readline()
        if b'"result"' not in answer:
            raise SystemExit(f"{self._process.args!r} did not answer: {answer[:200]!r}")

    def call_ms(self, call: Mapping[str, Any] = CALL) -> float:
        """Return the median milliseconds of a few calls, of ``memory_load`` if not said."""
        took = []
        for _ in range(N_CALLS):
            began = time.perf_counter()
            self.ask(call)
            took.append(1_000 * (time.perf_counter() - began))
        return statistics.median(took)

    def end(self) -> None:
        """End it as a client does, by closing its input."""
        self._process.communicate(timeout=LIMIT_S)


def handshake_s(command: Sequence[str], folder: Path) -> float:
    """Start a server, send ``initialize``, and return the seconds until its answer."""
    began = time.perf_counter()
    server = Server(command, folder)
    server.ask(INITIALIZE)
    took = time.perf_counter() - began
    server.end()
    return took


def first_start_s(folder: Path) -> float:
    """Start the plug-in where it was just put, and return the seconds until its tools are listed.

    Its installer runs meanwhile, as on any first start, but finds no package index.
    """
    plugin, data = folder / "plugin", folder / "data"
    for place in (plugin, data):
        shutil.rmtree(place, ignore_errors=True)
    for part in ("bin", "server", "requirements"):
        shutil.copytree(ROOT / part, plugin / part, ignore=shutil.ignore_patterns("__pycache__"))
    command = [*LAUNCHER[:-1], str(plugin / "bin" / "ml-orchestrator-launch")]
    environ = {"CLAUDE_PLUGIN_DATA": str(data), "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    began = time.perf_counter()
    server = Server(command, folder, environ)
    server.ask(INITIALIZE)
    server.send(INITIALIZED)
    server.ask(LIST_TOOLS)
    took = time.perf_counter() - began
    server.end()
    return took


def launcher_figures(folder: Path, rounds: int) -> list[Figure]:
    """Return what the launcher takes beside its goals in seconds."""
    subjects = {
        "spawn to initialize, launcher": partial(handshake_s, LAUNCHER, folder),
        "first start to tools listed": partial(first_start_s, folder),
    }
    found = in_turns(subjects, rounds=rounds)
    goals = zip(subjects, (HANDSHAKE_GOAL_S, FIRST_START_GOAL_S), strict=True)
    return [
        Figure(name, "s", statistics.median(found[name]), goal_s, "goal", 1.0, rounds)
        for name, goal_s in goals
    ]


def open_session(command: Sequence[str], folder: Path) -> Server:
    """Return a server that has answered a first call."""
    server = Server(command, folder)
    server.ask(INITIALIZE)
    server.send(INITIALIZED)
    server.ask(CALL)
    return server


def commands() -> dict[str, list[str]]:
    """Return how each is started, ours first; peers that cannot be installed are left out."""
    found = {
        "launcher": LAUNCHER,
        "ours": SERVER,
        "bare mcp server": [sys.executable, str(HERE / "bare_server.py")],
    }
    if python := peer_python("mlflow-mcp", "mlflow[mcp]>=3.17,<4"):
        found["mlflow mcp run"] = [str(python.parent / "mlflow"), "mcp", "run"]
    if python := peer_python("optuna-mcp", "optuna-mcp"):
        found["optuna-mcp"] = [str(python.parent / "optuna-mcp")]
    if package := peer_node("server-memory", "@modelcontextprotocol/server-memory"):
        found["server-memory"] = ["node", str(package / "dist" / "index.js")]
    return found


def start_figures(folder: Path, rounds: int) -> list[Figure]:
    """Return the time to the first answer, through the launcher and directly, beside each peer."""
    subjects = {name: partial(handshake_s, line, folder) for name, line in commands().items()}
    in_turns(subjects, rounds=1)  # fills the page cache and byte code
    found = in_turns(subjects, rounds=rounds)
    medians = {name: statistics.median(values) for name, values in found.items()}
    return [
        Figure(
            f"spawn to initialize, {name}",
            "s",
            medians[name],
            medians.get(peer),
            peer,
            GOALS.get((name, peer)),
            rounds,
        )
        for name in ("launcher", "ours")
        for peer in PEERS
    ]


def call_figure(folder: Path, rounds: int) -> Figure:
    """Return the time of a call through the launcher beside that of a direct one."""
    started = {"launcher": LAUNCHER, "ours": SERVER}
    servers = {name: open_session(command, folder) for name, command in started.items()}
    subjects = {name: server.call_ms for name, server in servers.items()}
    in_turns(subjects, rounds=5)  # lets the background warming pass
    found = {name: statistics.median(v) for name, v in in_turns(subjects, rounds=rounds).items()}
    for server in servers.values():
        server.end()
    return Figure(
        "memory_load, launcher",
        "ms",
        found["launcher"],
        found["ours"],
        "direct",
        1.1,
        rounds * N_CALLS,
    )


def hook_figures(folder: Path, rounds: int) -> list[Figure]:
    """Return the time of a hook as a program beside its tool, and beside a bare interpreter."""
    asked_by_programs = open_session(LAUNCHER, folder)  # the newest launcher hears this process
    subjects = {
        "program": partial(shell_ms, HOOK, json.dumps(HOOK_INPUT).encode()),
        "bare interpreter": partial(shell_ms, f"{PYTHON} -I -S -c pass", b""),
    }
    found = in_turns(subjects, rounds=rounds)
    asked_by_programs.end()
    asked_by_tools = open_session(LAUNCHER, folder)
    found["tool"] = [asked_by_tools.call_ms(HOOK_CALL) for _ in range(rounds)]
    asked_by_tools.end()
    medians = {name: statistics.median(values) for name, values in found.items()}
    return [
        Figure("hook_batch, program", "ms", medians["program"], medians[peer], peer, None, rounds)
        for peer in ("tool", "bare interpreter")
    ]


def shell_ms(command: str, given: bytes) -> float:
    """Return the milliseconds of a command that must succeed, in a shell, as hooks are run."""
    began = time.perf_counter()
    shell = ["/bin/sh", "-c", command]
    subprocess.run(shell, input=given, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
    return 1_000 * (time.perf_counter() - began)


def main() -> None:
    """Measure in turns and print medians."""
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        own = launcher_figures(Path(folder), 5 if options.quick else 21)
        show(own, as_json=options.json)
        starts = start_figures(Path(folder), 5 if options.quick else 21)
        show(starts, as_json=options.json)
        show([call_figure(Path(folder), 20 if options.quick else 100)], as_json=options.json)
        show(hook_figures(Path(folder), 20 if options.quick else 60), as_json=options.json)


if __name__ == "__main__":
    main()
