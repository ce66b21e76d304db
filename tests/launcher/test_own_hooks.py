"""Hooks that the launcher answers by itself: at once, the same as the server, and no others."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.launcher.raw_client import MODERN
from tests.launcher.test_manifest import Server, requests_of_a_handshake_session
from tests.launcher.test_session import MANIFEST, Pipe, request, start

from ml_orchestrator.launcher.hook_place import FIELDS
from ml_orchestrator.launcher.session import Session

LEAD, COLLEAGUE = "ml-orchestrator:ml-orchestrator", "ml-orchestrator:performance-engineer"
FORGED = {"agent": "forged", "text": "é", "n": [1.5, None]}
HALF = "\ud800"  # of a pair of surrogates: JSON can say it, UTF-8 cannot
STOP = {"stop_hook_active": "false", "last_assistant_message": "Done."}


def hook(tool: str, agent_type: str, tool_input: Any = None, **given: str) -> dict[str, Any]:
    """Return the parameters of a hook's call, as Claude Code fills them in."""
    said = tool_input if isinstance(tool_input, str) else json.dumps(tool_input)
    known = {
        "agent_type": agent_type,
        "agent_id": "a1",
        "session_id": "s1",
        "tool_input": said,
        **STOP,
        **given,
    }
    return {"name": tool, "arguments": {name: known[name] for name in FIELDS[tool]}}


ALONE = {
    "bound": hook("hook_bind", LEAD, FORGED),
    "bound already": hook("hook_bind", LEAD, {"agent": "ml-orchestrator"}),
    "the main thread": hook("hook_bind", "", FORGED),
    "the longest": hook("hook_delegate", "a" * 256, {}, agent_id="a" * 256),
    "no object": hook("hook_bind", LEAD, "[1]"),
    "nested too deep": hook("hook_bind", LEAD, "[" * 100_000),
    "no name": hook("hook_bind", "An Agent!", FORGED),
    "a stranger": hook("hook_delegate", LEAD, {"subagent_type": "general-purpose"}),
    "a colleague": hook("hook_delegate", LEAD, {"subagent_type": COLLEAGUE}),
    "a person's start": hook("hook_delegate", LEAD, {"subagent_type": "Explore"}, agent_id=""),
    "another's batch": hook("hook_batch", "Explore"),
    "the main thread's batch": hook("hook_batch", ""),
    "a batch without a session, as hooks of before": {
        "name": "hook_batch",
        "arguments": {"agent_type": "", "agent_id": "a1"},
    },
    "a prompt to no agent of ours": hook("hook_prompt", ""),
    "another's start": hook("hook_start", "other:ml-orchestrator"),
    "another's stop": hook("hook_stop", "general-purpose"),
}
FOR_THE_SERVER = {
    "start": hook("hook_start", LEAD),
    "prompt": hook("hook_prompt", LEAD),
    "batch": hook("hook_batch", COLLEAGUE),
    "stop": hook("hook_stop", LEAD),
    "saved": hook("hook_saved", "Explore"),
    "a field short": {"name": "hook_bind", "arguments": {"tool_input": "{}"}},
    "no text": {"name": "hook_delegate", "arguments": {**dict.fromkeys(FIELDS["hook_delegate"])}},
    "a field too many": {
        "name": "hook_delegate",
        "arguments": {**dict.fromkeys(FIELDS["hook_delegate"], "{}"), "session_id": "s1"},
    },
    "too long a type": hook("hook_bind", "a" * 257, FORGED),
    "too long a session": hook("hook_prompt", "", session_id="s" * 257),
    "too long an id": hook("hook_delegate", "Explore", {}, agent_id="a" * 257),
    "no arguments": {"name": "hook_bind"},
    "no hook": {"name": "memory_load", "arguments": {}},
    "no name": {"name": ["hook_bind"], "arguments": {}},
}


def read(answer: dict[str, Any]) -> tuple[Any, bool]:
    """Return what a client makes of an answer: the JSON, or the text, and whether it failed."""
    result = answer["result"]
    (part,) = result["content"]
    failed: bool = result["isError"]
    return part["text"] if failed else json.loads(part["text"]), failed


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_what_the_launcher_answers_is_what_the_server_would_have_said(
    session: Session, client: Pipe, tmp_path: Path, era: str
) -> None:
    meta = {"_meta": MODERN} if era == "modern" else {}
    opening = requests_of_a_handshake_session("2025-11-25")[:2] if era == "handshake" else []
    with Server(tmp_path) as server:
        for message in opening:
            server.ask(message)
        for name, params in ALONE.items():
            asked = request(name, "tools/call", **params, **meta)
            session.receive(asked)
            own = client.messages[-1]
            said = server.ask(json.loads(asked))
            assert own["id"] == name
            assert read(own) == read(said), name
            assert own["result"].keys() == said["result"].keys() - {"structuredContent"}
    assert client.ids == [*ALONE]


def test_with_a_server_these_hooks_do_not_reach_it(session: Session, client: Pipe) -> None:
    server = start(session)
    for name, params in ALONE.items():
        session.receive(request(name, "tools/call", **params))

    assert client.ids == [*ALONE]
    assert [m for m in server.messages if m.get("method") == "tools/call"] == []


def test_a_server_that_is_gone_for_good_is_not_needed_for_them(
    session: Session, client: Pipe
) -> None:
    session.refuse_for_good("It has gone.")
    session.receive(request(1, "tools/call", **ALONE["bound"]))

    updated = read(client.messages[0])[0]["hookSpecificOutput"]["updatedInput"]
    assert updated == {**FORGED, "agent": "ml-orchestrator"}


@pytest.mark.parametrize("name", FOR_THE_SERVER)
def test_other_calls_are_the_servers(session: Session, client: Pipe, name: str) -> None:
    asked = request(1, "tools/call", **FOR_THE_SERVER[name])
    session.receive(asked)

    assert client.messages == []
    assert start(session).getvalue().endswith(asked)


def test_a_program_gets_the_same_answer_without_a_server(session: Session, client: Pipe) -> None:
    stranger = ALONE["a stranger"]
    response = session.call_hook(stranger["name"], stranger["arguments"], 0.0)

    output = read(response)[0]["hookSpecificOutput"]
    assert output["permissionDecision"] == "deny"
    assert client.messages == []


def test_half_a_pair_of_surrogates_is_handed_back_and_on(session: Session, client: Pipe) -> None:
    said = {**FOR_THE_SERVER["stop"]["arguments"], "last_assistant_message": HALF}
    server = start(session)
    with pytest.raises(TimeoutError):
        session.call_hook("hook_stop", said, 0.0)
    session.receive(request(1, "tools/call", **hook("hook_bind", LEAD, {**FORGED, "text": HALF})))

    (call,) = [m for m in server.messages if m.get("method") == "tools/call"]
    assert call["params"]["arguments"]["last_assistant_message"] == HALF
    assert read(client.messages[0])[0]["hookSpecificOutput"]["updatedInput"]["text"] == HALF


def test_what_the_launcher_reads_runs_with_the_oldest_python_it_promises() -> None:
    """The whole start: only what is imported before there is any dependency."""
    root = MANIFEST.parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(root / 'server')!r})\n"
        "import ml_orchestrator.launcher.main, ml_orchestrator.launcher.keeper\n"
        "import ml_orchestrator.launcher.hook_listener, ml_orchestrator.launcher.door\n"
        "print(*sys.version_info[:2])"
    )
    try:
        ran = subprocess.run(
            ["python3.9", "-I", "-S", "-B", "-c", code],
            env={**os.environ, "PYENV_VERSION": "3.9"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no python3.9 here")
    if ran.returncode == 127:  # a version manager's name for one that is not installed
        pytest.skip("there is no python3.9 here")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "3 9\n", "")
