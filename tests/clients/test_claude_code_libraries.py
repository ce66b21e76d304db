"""A person's own server of library documentation: the agents may use it, and need it not."""

import json
import sys
from pathlib import Path

import pytest
from tests.clients.messages_api import Call, Script, serve
from tests.clients.programs import ROOT, Programs
from tests.clients.sessions import (
    AGENT,
    EVERY_TOOL,
    Session,
    ask_claude,
    failing_with,
    main_thread,
    subagent,
)
from tests.plugin.lint_agents import OPTIONAL_TOOLS

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

SAID = "Call fit, then predict."
# A server as Context7's is named, with its two tools and nothing behind them.
SERVER = f"""\
import json, sys
tools = [
    {{"name": name, "description": name, "inputSchema": {{"type": "object", "properties": {{}}}}}}
    for name in ("resolve-library-id", "query-docs", "not-named")
]
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {{
        "initialize": {{
            "protocolVersion": "2025-06-18",
            "capabilities": {{"tools": {{}}}},
            "serverInfo": {{"name": "context7", "version": "0"}},
        }},
        "tools/list": {{"tools": tools}},
        "tools/call": {{"content": [{{"type": "text", "text": {SAID!r}}}]}},
    }}.get(asked["method"], {{}})
    answer = {{"jsonrpc": "2.0", "id": asked["id"], "result": result}}
    print(json.dumps(answer), flush=True)
"""


def look_up() -> Script:
    found = yield Call("mcp__context7__query-docs", {})
    return f"It says: {found.text}"


def test_an_agent_looks_libraries_up_where_a_person_has_the_server_for_it(
    programs: Programs, tmp_path: Path
) -> None:
    program, servers = tmp_path / "context7.py", tmp_path / "servers.json"
    program.write_text(SERVER)
    command = {"command": sys.executable, "args": [str(program)]}
    servers.write_text(json.dumps({"mcpServers": {"context7": command}}))
    with serve(subagent(AGENT, look_up), main_thread(AGENT)) as api:
        done = ask_claude(
            programs,
            api,
            *("--plugin-dir", str(ROOT), "--mcp-config", str(servers)),
            limit_s=120,
            allowed=f"{EVERY_TOOL},mcp__context7",
        )
    session = Session(done, api.of("main"), api.of(AGENT))

    with failing_with(session):
        offered = {name for name in session.requests[0].tools if "context7" in name}
        assert offered == {n for n in OPTIONAL_TOOLS if n.startswith("mcp__context7__")}
        assert SAID in done.out
