"""Write ``bin/manifest.json``: what the server answers to handshakes and lists.

Asks the real server over its own standard input and output; run it from ``.venv``.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from ml_orchestrator.launcher.manifest import LISTS, MODERN

__all__ = ["ask_handshake_era", "ask_modern_era", "manifest"]

ROOT = Path(__file__).resolve().parents[1]
SERVER = (sys.executable, "-m", "ml_orchestrator", "mcp")
CLIENT = {"name": "make_manifest", "version": "1"}


def main() -> None:
    """Write the file."""
    text = json.dumps(manifest(), ensure_ascii=False, indent=1)
    (ROOT / "bin" / "manifest.json").write_text(text + "\n", encoding="utf-8")


def manifest() -> dict[str, Any]:
    """Return what ``ml_orchestrator.launcher.manifest`` reads, fresh from the server."""
    handshake, modern = ask_handshake_era(SERVER), ask_modern_era(SERVER)
    lists = {method: handshake[method] for method in LISTS}
    extras = [_without(modern[method], lists[method]) for method in LISTS]
    if any(extra != extras[0] for extra in extras):
        raise SystemExit(f"Lists of the two eras differ in more than what all have: {extras}")
    return {
        "handshake_versions": list(HANDSHAKE_PROTOCOL_VERSIONS),
        "initialize": _without(handshake["initialize"], {"protocolVersion"}),
        "discover": modern["server/discover"],
        "modern": extras[0],
        "lists": lists,
    }


def ask_handshake_era(
    command: Sequence[str],
    version: str = HANDSHAKE_PROTOCOL_VERSIONS[-1],
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the result of ``initialize`` and of each list, by method."""
    opening = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    asked = {"initialize": opening, "notifications/initialized": {}, **{m: {} for m in LISTS}}
    return _ask(command, asked, environ)


def ask_modern_era(
    command: Sequence[str], environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the result of ``server/discover`` and of each list, by method."""
    prefix = "io.modelcontextprotocol/"
    envelope = {
        "_meta": {
            prefix + "protocolVersion": MODERN,
            prefix + "clientInfo": CLIENT,
            prefix + "clientCapabilities": {},
        }
    }
    return _ask(command, dict.fromkeys(("server/discover", *LISTS), envelope), environ)


def _ask(
    command: Sequence[str],
    asked: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Send requests one after the other and return their results, by method."""
    results: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as server,
    ):
        assert server.stdin
        assert server.stdout
        for number, (method, params) in enumerate(asked.items()):
            is_request = not method.startswith("notifications/")
            message = {"jsonrpc": "2.0", "method": method, "params": params}
            line = json.dumps({**message, "id": number} if is_request else message)
            server.stdin.write(line.encode() + b"\n")
            server.stdin.flush()
            if is_request:
                results[method] = json.loads(server.stdout.readline())["result"]
        server.stdin.close()
    return results


def _without(whole: Mapping[str, Any], known: Any) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name not in known}


if __name__ == "__main__":
    main()
