"""How long a tool call takes over stdio, from request line to answer line.

Also: ``memory_load`` in the first ten seconds, while MLflow is being prepared in the
background. A server without work (``bare_server.py``) stands beside it as the floor.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from _figures import Figure, arguments, in_turns, percentile, show

HERE = Path(__file__).parent
AGENT = "ml-orchestrator"
WARMING_S = 10.0
WARM_UP = 50
MANY = {  # messages, so that quotas do not stand in the way
    "ML_ORCHESTRATOR_MESSAGES_PER_MINUTE": "1000000",
    "ML_ORCHESTRATOR_MESSAGES_PER_MINUTE_TO_ONE": "1000000",
}
CALLS: dict[str, dict[str, Any]] = {
    "memory_load": {"agent": AGENT},
    "message_send": {
        "agent": AGENT,
        "content": "x" * 200,
        "target_agents": ["performance-engineer"],
    },
    "registry_list": {},
}


class Session:
    """A raw JSON-RPC session over stdio, so that only the server is measured."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR", **MANY},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._id = 0
        self.request(
            "initialize",
            {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "latency", "version": "1"},
            },
        )
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method: str, params: dict[str, Any]) -> Any:
        """Send a request and return its result."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        assert self._server.stdout
        while True:
            answer = json.loads(self._server.stdout.readline())
            if answer.get("id") == self._id:
                return answer["result"]

    def call_ms(self, tool: str, call: dict[str, Any]) -> float:
        """Call a tool and return how long it took, in ms."""
        began = time.perf_counter()
        result = self.request("tools/call", {"name": tool, "arguments": call})
        took = (time.perf_counter() - began) * 1e3
        if result.get("isError"):
            raise SystemExit(f"{tool}: {result['content']}")
        return took

    def prepare(self) -> None:
        """Wait until one of our servers has opened in the background what takes seconds."""
        for tool, call in (("registry_list", {}), ("workflow_status", {"run_id": "none"})):
            self.request("tools/call", {"name": tool, "arguments": call})

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.wait()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server.stdin
        self._server.stdin.write(json.dumps(message).encode() + b"\n")
        self._server.stdin.flush()


@contextmanager
def session(*command: str) -> Iterator[Session]:
    """Open a session on a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Session([sys.executable, *command], Path(folder))
        try:
            yield opened
        finally:
            opened.close()


def main() -> None:
    """Measure and print p50 and p99 of each tool."""
    options = arguments(__doc__)
    n = 200 if options.quick else 2_000
    figures: list[Figure] = []
    with (
        session(str(HERE / "bare_server.py")) as bare,
        session("-m", "ml_orchestrator", "mcp") as ours,
    ):
        early: list[float] = []
        began = time.perf_counter()
        while time.perf_counter() - began < WARMING_S:
            early.append(ours.call_ms("memory_load", {"agent": AGENT}))
            time.sleep(0.005)
        ours.prepare()
        for tool, call in CALLS.items():
            found = in_turns(
                {
                    "ours": partial(ours.call_ms, tool, call),
                    "bare": partial(bare.call_ms, "add", {"a": 1, "b": 2}),
                },
                rounds=n + WARM_UP,
            )
            taken, floor = found["ours"][WARM_UP:], found["bare"][WARM_UP:]
            figures += [
                Figure(f"{tool} {label}", "ms", percentile(taken, share),
                       percentile(floor, share), "no work", None, n)
                for label, share in (("p50", 0.5), ("p99", 0.99))
            ]  # fmt: skip
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        figures.append(
            Figure(f"memory_load {label}, first 10 s", "ms", percentile(early, share),
                   None, None, None, len(early))
        )  # fmt: skip
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
