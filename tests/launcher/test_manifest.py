"""The launcher's answers are the server's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from ml_orchestrator.launcher.manifest import LISTS, MODERN, Manifest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "bin" / "manifest.json"
ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}


class Server:
    """The real server, asked line by line."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ml_orchestrator", "mcp"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()
        if "id" not in message:
            return {}
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        del answer["jsonrpc"]
        return answer


def requests_of_a_handshake_session(version: str) -> list[dict[str, Any]]:
    client = {"name": "test", "version": "1"}
    opening = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
    asked = [{"id": n, "method": m} for n, m in enumerate(["ping", *LISTS], start=1)]
    return [
        {"id": "first", "method": "initialize", "params": opening},
        {"method": "notifications/initialized"},
        *asked,
    ]


def requests_of_a_modern_session() -> list[dict[str, Any]]:
    asked = ("server/discover", *LISTS)
    filters = {"toolsListChanged": True, "promptsListChanged": False}
    return [
        *({"id": n, "method": m, "params": ENVELOPE} for n, m in enumerate(asked)),
        {
            "id": "listen:0",
            "method": "subscriptions/listen",
            "params": {**ENVELOPE, "notifications": filters},
        },
    ]


@pytest.mark.parametrize(
    ("version", "mode"),
    [(HANDSHAKE_PROTOCOL_VERSIONS[-1], "read-only")]
    + [(version, "operator") for version in (*HANDSHAKE_PROTOCOL_VERSIONS, "1999-01-01", MODERN)],
)
def test_a_handshake_session_gets_what_the_server_would_have_said(
    tmp_path: Path, version: str, mode: str
) -> None:
    manifest = Manifest.read(MANIFEST, reads_only=mode == "read-only")
    with Server(tmp_path, ML_ORCHESTRATOR_MODE=mode) as server:
        for request in requests_of_a_handshake_session(version):
            assert (manifest.answer(request) or {}) == server.ask(request), request


@pytest.mark.parametrize("mode", ["operator", "read-only"])
def test_a_modern_session_gets_what_the_server_would_have_said(tmp_path: Path, mode: str) -> None:
    manifest = Manifest.read(MANIFEST, reads_only=mode == "read-only")
    with Server(tmp_path, ML_ORCHESTRATOR_MODE=mode) as server:
        for request in requests_of_a_modern_session():
            assert manifest.answer(request) == server.ask(request), request


def test_the_committed_manifest_is_what_its_generator_makes() -> None:
    code = "import json, make_manifest; print(json.dumps(make_manifest.manifest()))"
    made = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "bin",
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert json.loads(made.stdout) == json.loads(MANIFEST.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "request_",
    [
        {"id": 1, "method": "tools/call", "params": {"name": "memory_load"}},
        {"id": 1, "method": "tools/list", "params": {"cursor": "2"}},
        {"id": 1, "method": "initialize", "params": {}},
        {"id": 1, "method": "initialize", "params": 3},
        {"id": 1, "method": "server/discover"},
        {"id": 1, "method": "ping", "params": ENVELOPE},
        {"id": 1, "method": "subscriptions/listen", "params": ENVELOPE},
        {"method": "tools/list"},
        {},
    ],
)
def test_what_the_manifest_does_not_know_is_left_to_the_server(request_: dict[str, Any]) -> None:
    assert Manifest.read(MANIFEST).answer(request_) is None


def test_with_plugins_the_lists_are_left_to_the_server() -> None:
    manifest = Manifest.read(MANIFEST, lists_hold=False)
    assert manifest.answer({"id": 1, "method": "tools/list"}) is None
    assert manifest.answer({"id": 1, "method": "ping"}) == {"id": 1, "result": {}}
