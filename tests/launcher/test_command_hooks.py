"""Hooks as programs: what they print, how they fail, and that no client hears of their calls."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.launcher.raw_client import MODERN, RawClient
from tests.launcher.test_session import (
    Pipe,
    call,
    notification,
    request,
    start,
)

from ml_orchestrator.launcher.hook_listener import HookListener
from ml_orchestrator.launcher.hook_place import FIELDS, check_private, socket_of
from ml_orchestrator.launcher.session import Session
from ml_orchestrator.launcher.wire import parse

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "hooks"
AGENT = {"agent_type": "ml-orchestrator:ml-orchestrator", "agent_id": "a1"}
LIMIT_S = 60.0


def shipped() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield event, matcher and hook of all in ``hooks.json`` that call tools."""
    hooks = json.loads((HOOKS / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    for event, entries in hooks.items():
        for entry in entries:
            for hook in entry["hooks"]:
                if hook["type"] == "mcp_tool":
                    yield event, entry.get("matcher", ""), hook


def settings() -> dict[str, Any]:
    program = [sys.executable, "-I", "-S", str(HOOKS / "command_hook.py"), "settings"]
    printed = subprocess.run(program, capture_output=True, check=True, timeout=LIMIT_S)
    found: dict[str, Any] = json.loads(printed.stdout)
    return found


def commands() -> dict[str, dict[str, Any]]:
    """Return the printed commands by event; of PreToolUse the one that blocks."""
    return {event: entries[0]["hooks"][0] for event, entries in settings()["hooks"].items()}


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}


def run(command: str, folder: Path, **given: Any) -> "subprocess.CompletedProcess[str]":
    """Run a hook's command as Claude Code does: by a shell that is its child."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        input=json.dumps(given),
        env=environ(folder),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is short enough for a socket."""
    folder = tmp_path_factory.mktemp("r")
    folder.chmod(0o700)
    return folder


# What is printed.


def test_the_printed_hooks_are_those_of_hooks_json_as_commands() -> None:
    printed = [
        (event, entry.get("matcher", ""), hook)
        for event, entries in settings()["hooks"].items()
        for entry in entries
        for hook in entry["hooks"]
    ]
    expected = list(shipped())
    assert [each[:2] for each in printed] == [each[:2] for each in expected]
    for (_, _, command), (_, _, hook) in zip(printed, expected, strict=True):
        assert command["type"] == "command"
        assert command["timeout"] == hook["timeout"]
        failing = "exit 2" if hook.get("onFailure") == "block" else "true"
        words = rf"python3 -I -S \S+ {hook['tool']} {hook['timeout'] - 1} \"\$PPID\" \|\| {failing}"
        assert re.fullmatch(words, command["command"])


def test_each_hook_gives_what_hooks_json_gives() -> None:
    given = {
        hook["tool"]: {name: f"${{{name}}}" for name in FIELDS[hook["tool"]]}
        for *_, hook in shipped()
    }
    assert given == {hook["tool"]: hook["input"] for *_, hook in shipped()}
    assert given.keys() == FIELDS.keys()


# Where the server is asked.


def ask(session: Session, pool: ThreadPoolExecutor) -> Any:
    return pool.submit(session.call_hook, "hook_saved", {"agent_id": "a1"}, LIMIT_S)


def call_of(server: Pipe) -> dict[str, Any]:
    """Return the hook's call once it has been written."""
    for _ in range(600):
        found = [m for m in server.messages if "hook" in str(m.get("id"))]
        if found:
            return found[0]
        threading.Event().wait(0.05)
    raise AssertionError(server.messages)


def answer_to(message: dict[str, Any], text: str = "{}") -> bytes:
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_a_hooks_answer_goes_to_the_hook_and_not_to_the_client(
    session: Session, client: Pipe, era: str
) -> None:
    opening = request(1, "server/discover", _meta=MODERN) if era == "modern" else request(1, "ping")
    session.receive(opening)
    server = start(session)
    before = client.getvalue()
    with ThreadPoolExecutor(1) as pool:
        waiting = ask(session, pool)
        asked = call_of(server)
        session.pass_on(answer_to(asked))
        response = waiting.result(LIMIT_S)

    assert response["result"]["content"][0]["text"] == "{}"
    assert client.getvalue() == before
    assert asked["params"]["name"] == "hook_saved"
    assert asked["params"].get("_meta") == (MODERN if era == "modern" else None)


def test_where_the_client_calls_hooks_itself_there_is_nothing_to_do(session: Session) -> None:
    server = start(session)
    session.receive(request(2, "tools/call", name="hook_start", arguments=AGENT))
    session.pass_on(answer_to({"id": 2}))

    assert session.call_hook("hook_start", AGENT, LIMIT_S) == {}
    assert [m["id"] for m in server.messages if m.get("method") == "tools/call"] == [2]


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_hook_that_the_client_is_calling_is_waited_for_so_that_it_is_done_once(
    session: Session, is_refused: bool
) -> None:
    session.receive(request(2, "tools/call", name="hook_start", arguments=AGENT))
    answer = answer_to({"id": 2})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.call_hook, "hook_saved", {"agent_id": "a1"}, LIMIT_S)
        server = start(session)
        assert not wait([waiting], 0.2).done
        assert [m["id"] for m in server.messages if m.get("method") == "tools/call"] == [2]
        session.pass_on(answer.replace(b"false", b"true") if is_refused else answer)
        if is_refused:
            session.pass_on(answer_to(call_of(server)))
        response = waiting.result(LIMIT_S)

    assert bool(response) == is_refused


def test_a_hook_that_the_client_calls_and_gives_up_is_waited_for_no_longer(
    session: Session,
) -> None:
    session.receive(request(2, "tools/call", name="hook_start", arguments=AGENT))
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(TimeoutError):
            session.call_hook("hook_saved", {"agent_id": "a1"}, 0.01)
        session.receive(notification("notifications/cancelled", requestId=2))
        server = start(session)
        waiting = ask(session, pool)
        session.pass_on(answer_to(call_of(server)))
        assert waiting.result(LIMIT_S)["result"]["content"]


@pytest.mark.parametrize(
    ("name", "is_refused"), [("hook_unknown", False), ("hook_start", True), ("hook_bind", True)]
)
def test_a_call_that_is_no_hook_or_is_refused_leaves_hook_programs_on(
    session: Session, name: str, is_refused: bool
) -> None:
    server = start(session)
    session.receive(request(2, "tools/call", name=name, arguments=AGENT))
    answer = answer_to({"id": 2})
    session.pass_on(answer.replace(b'"isError":false', b'"isError":true') if is_refused else answer)

    with ThreadPoolExecutor(1) as pool:
        waiting = ask(session, pool)
        session.pass_on(answer_to(call_of(server)))
        assert waiting.result(LIMIT_S)["result"]["content"]


def test_a_hook_that_waits_too_long_is_withdrawn(session: Session, client: Pipe) -> None:
    server = start(session)
    with pytest.raises(TimeoutError):
        session.call_hook("hook_saved", {"agent_id": "a1"}, 0.01)
    asked, cancelled = server.messages[-2:]
    session.pass_on(answer_to(asked))  # comes all the same

    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"] == {"requestId": asked["id"]}
    assert client.messages == []


def test_a_hook_that_gave_up_before_there_was_a_server_never_reaches_it(session: Session) -> None:
    with pytest.raises(TimeoutError):
        session.call_hook("hook_saved", {"agent_id": "a1"}, 0.01)
    session.receive(notification("notifications/initialized"))

    assert [m for m in start(session).messages if m.get("method") == "tools/call"] == []


def test_a_hook_whose_server_ends_is_told(session: Session, client: Pipe) -> None:
    server = start(session)
    session.receive(call(7))
    with ThreadPoolExecutor(1) as pool:
        waiting = ask(session, pool)
        call_of(server)
        session.lose_server("It has gone.")
        response = waiting.result(LIMIT_S)

    assert response["result"]["isError"]
    assert client.ids == [7]


# The socket.


def test_a_folder_that_others_may_enter_is_refused_on_both_sides(
    session: Session, runtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(socket_of(os.getpid(), environ(runtime)))
    place.parent.mkdir(mode=0o755)
    listener = HookListener(session, str(place))
    listener.start()
    listener.close()

    assert not place.exists()
    assert "not a folder of this user alone" in capsys.readouterr().err
    with pytest.raises(PermissionError, match="0700"):
        check_private(str(place.parent))


def test_a_newer_launcher_takes_the_place_over_and_the_older_leaves_it(
    session: Session, runtime: Path
) -> None:
    place = Path(socket_of(os.getpid(), environ(runtime)))
    older, newer = (HookListener(session, str(place)) for _ in range(2))
    older.start()
    newer.start()
    older.close()
    assert place.exists()
    newer.close()
    assert not place.exists()


def test_what_is_no_hook_of_ours_is_refused(session: Session, runtime: Path) -> None:
    place = socket_of(os.getpid(), environ(runtime))
    listener = HookListener(session, place)
    listener.start()
    try:
        for said in (b"memory_forget 5\n{}", b"hook_start x\n{}", b"hook_start 5\n[]", b""):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(LIMIT_S)
                connection.connect(place)
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                assert connection.makefile("rb").read().startswith(b"error\n")
    finally:
        listener.close()


def test_sockets_of_clients_that_have_ended_are_swept(session: Session, runtime: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(LIMIT_S)
    place = Path(socket_of(os.getpid(), environ(runtime)))
    place.parent.mkdir(mode=0o700)
    (stale := place.with_name(f"{ended.pid}.sock")).touch()
    listener = HookListener(session, str(place))
    listener.start()
    listener.close()

    assert not stale.exists()


@pytest.mark.parametrize("name", ["9" * 30, "9" * 200, "²"])
def test_a_file_that_is_no_clients_stays_and_stops_nobody(
    session: Session, runtime: Path, name: str
) -> None:
    place = Path(socket_of(os.getpid(), environ(runtime)))
    place.parent.mkdir(mode=0o700)
    (other := place.with_name(f"{name}.sock")).touch()
    listener = HookListener(session, str(place))
    listener.start()
    assert place.exists()
    listener.close()

    assert other.exists()


# The whole: program, launcher and server.


@contextmanager
def launched(runtime: Path, folder: Path) -> Iterator[RawClient]:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("the plug-in's environment .venv is not there; run `make setup`")
    launcher = ["python3", "-I", "-S", str(ROOT / "bin" / "ml-orchestrator-launch")]
    known = {**environ(runtime), "ML_ORCHESTRATOR_HOME": str(folder / "home")}
    with RawClient(launcher, known, folder) as raw:
        raw.shake_hands()
        yield raw


def test_hooks_as_programs_do_what_the_tools_do_on_the_running_server(
    runtime: Path, tmp_path: Path
) -> None:
    hooks = {event: hook["command"] for event, hook in commands().items()}
    with launched(runtime, tmp_path) as raw:
        task = {"task_description": "tuned the ranker", "outcome": "success"}
        raw.call(1, "memory_save", agent="ml-orchestrator", task=task)
        place = Path(socket_of(os.getpid(), environ(runtime)))
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (place, place.parent)]

        started = run(hooks["SubagentStart"], runtime, **AGENT)
        forged = {"agent": "forged", "n": [1, "ä"]}
        bound = run(hooks["PreToolUse"], runtime, tool_input=forged, **AGENT)
        batch = run(hooks["PostToolBatch"], runtime, **AGENT)
        stopped = run(
            hooks["SubagentStop"],
            runtime,
            stop_hook_active=False,
            last_assistant_message="Done.",
            **AGENT,
        )

    assert modes == [0o600, 0o700]
    assert not place.exists()
    for ran in (started, bound, batch, stopped):
        assert (ran.returncode, ran.stderr) == (0, "")
    output = json.loads(started.stdout)["hookSpecificOutput"]
    assert output["hookEventName"] == "SubagentStart"
    assert "tuned the ranker" in output["additionalContext"]
    rewritten = json.loads(bound.stdout)["hookSpecificOutput"]["updatedInput"]
    assert rewritten == {"agent": "ml-orchestrator", "n": [1, "ä"]}
    assert parse(batch.stdout.encode()) == {}
    assert json.loads(stopped.stdout)["decision"] == "block"


@pytest.mark.parametrize("folder_is_there", [True, False])
def test_without_a_server_binding_blocks_and_memory_does_not(
    runtime: Path, folder_is_there: bool
) -> None:
    if folder_is_there:
        Path(socket_of(0, environ(runtime))).parent.mkdir(mode=0o700)
    entries = settings()["hooks"]
    blocking, *before = (entry["hooks"][0]["command"] for entry in entries["PreToolUse"])
    others = [entries[e][0]["hooks"][0]["command"] for e in entries if e != "PreToolUse"]
    open_ = [*before, *others]

    ran = [run(command, runtime, tool_input={}, **AGENT) for command in (blocking, *open_)]

    assert [each.returncode for each in ran] == [2, *(0 for _ in open_)]
    assert {each.stdout for each in ran} == {""}
    assert "the hook hook_bind failed" in ran[0].stderr


def test_a_refusal_of_the_server_blocks_the_call_that_was_to_be_bound(
    runtime: Path, tmp_path: Path
) -> None:
    with launched(runtime, tmp_path):
        ran = run(commands()["PreToolUse"]["command"], runtime, tool_input="no object", **AGENT)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "tool_input is not a JSON object" in ran.stderr


def test_a_hook_that_has_moved_away_blocks_too(runtime: Path) -> None:
    command = commands()["PreToolUse"]["command"].replace("command_hook.py", "gone.py")

    assert run(command, runtime, tool_input={}, **AGENT).returncode == 2


@pytest.mark.parametrize("words", [["setings"], []])
def test_a_wrong_word_is_told_how_the_program_is_called(words: list[str]) -> None:
    program = [sys.executable, "-I", "-S", str(HOOKS / "command_hook.py"), *words]

    ended = subprocess.run(program, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    given = words[0] if words else "nothing"
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "ml-orchestrator: command_hook.py takes settings, or TOOL LIMIT_S CLIENT as a hook gives "
        f"them; it was given '{given}'. command_hook.py settings prints the hooks.\n"
    )
