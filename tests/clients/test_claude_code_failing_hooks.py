"""What a subagent can and cannot do in real Claude Code when a hook fails, hangs or has no server.

The program between client and server tells which calls reached the server.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.clients.go_between import calls, requests
from tests.clients.messages_api import Call, Result, Script
from tests.clients.plugins import changed_plugin, go_between_command, shipped_hooks
from tests.clients.programs import Programs
from tests.clients.sessions import AGENT, Session, failing_with, hold_session, stored, use

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

COLLEAGUE = "performance-engineer"
REPORT = "Nothing could be changed."
BLOCKED = 'blocking because onFailure is "block"'


@dataclass(frozen=True, slots=True)
class Failing:
    """A session in which a hook failed, and all that its client sent to the server."""

    session: Session
    log: Path


def save() -> Call:
    """Return a call that saves a task under a colleague's name."""
    task = {"task_description": "never to be read", "outcome": "success"}
    return use("memory_save", agent=COLLEAGUE, task=task)


def change_and_read() -> Script:
    """Save and move an alias, then read."""
    yield save()
    move = {"model": "ranker", "alias": "champion", "version": 1, "expected_version": None}
    yield use("registry_move_alias", agent=AGENT, reason="It is better", **move)
    yield use("memory_load", agent=AGENT)
    yield use("message_inbox", agent=AGENT)
    return REPORT


def look_and_lose_the_server() -> Script:
    """Look at files, read once too often, and save."""
    yield Call("Glob", {"pattern": "*.csv"})
    yield use("message_inbox", agent=AGENT)
    yield save()
    return "The server is gone."


@pytest.fixture(scope="module")
def unbound(shared_programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Failing:
    """A session whose binding hook names a tool that does not exist."""
    hooks = shipped_hooks()
    for hook in hooks_of(hooks, "PreToolUse"):
        if hook["tool"] == "hook_bind":
            hook["tool"] = "hook_gone"
    folder = tmp_path_factory.mktemp("unbound")
    return fail(shared_programs, change_and_read, folder, hooks)


@pytest.fixture(scope="module")
def hanging(
    shared_programs: Programs, tmp_path_factory: pytest.TempPathFactory, unbound: Failing
) -> Failing:
    """A later session whose first hook never answers, and whose server is lost on the way."""
    hooks = shipped_hooks()
    (start,) = hooks_of(hooks, "SubagentStart")
    (batch,) = hooks_of(hooks, "PostToolBatch")
    start["timeout"], batch["timeout"] = 1, 60  # the second is answered however slow the machine
    spoilt = ("--unanswered", "hook_start", "--last", "message_inbox")
    folder = tmp_path_factory.mktemp("hanging")
    return fail(shared_programs, look_and_lose_the_server, folder, hooks, *spoilt)


def fail(
    programs: Programs,
    script: Callable[[], Script],
    folder: Path,
    hooks: dict[str, Any],
    *spoilt: str,
) -> Failing:
    """Hold a session with other hooks, or with something spoilt on the way to the server."""
    log = folder / "asked"
    command = go_between_command(log, *spoilt)
    plugin = changed_plugin(folder / "plugin", before_server=command, hooks=hooks)
    return Failing(hold_session(programs, script, limit_s=120, plugin=plugin), log)


def hooks_of(hooks: dict[str, Any], event: str) -> list[dict[str, Any]]:
    return [hook for matched in hooks["hooks"][event] for hook in matched["hooks"]]


def assert_blocked(result: Result) -> None:
    assert result.is_error
    assert BLOCKED in result.text


async def test_without_its_binding_a_call_that_changes_is_blocked_and_nothing_is_written(
    unbound: Failing, shared_programs: Programs
) -> None:
    with failing_with(unbound.session):
        for tool in ("memory_save", "registry_move_alias"):
            (blocked,) = unbound.session.results(tool)
            assert_blocked(blocked)
        reached = calls(unbound.log)
        assert {"memory_save", "registry_move_alias"}.isdisjoint(reached)
        kept = [await stored(shared_programs, "memory_load", a) for a in (AGENT, COLLEAGUE)]
        tasks = [task for loaded in kept for task in loaded["memory"]["task_history"]]
        assert [task["saved_by"]["tool"] for task in tasks] == ["hook_stop"]


def test_without_its_binding_a_call_that_reads_goes_on(unbound: Failing) -> None:
    with failing_with(unbound.session):
        for tool in ("memory_load", "message_inbox"):
            (answered,) = unbound.session.results(tool)
            assert not answered.is_error, answered.text
        assert calls(unbound.log).count("hook_gone") == 4


def test_a_subagent_starts_without_memory_when_that_hook_hangs_and_is_told_at_its_first_call(
    hanging: Failing,
) -> None:
    with failing_with(hanging.session):
        asked = requests(hanging.log)
        (start,) = [r for r in asked if r.get("params", {}).get("name") == "hook_start"]
        given_up = [r["params"]["requestId"] for r in asked if "cancelled" in r["method"]]
        assert given_up == [start["id"]]
        told = [request.said.count(REPORT) for request in hanging.session.requests]
        assert told[:2] == [0, 1]
        assert set(told[1:]) == {1}


async def test_without_its_server_a_call_that_changes_is_blocked_and_the_subagent_may_stop(
    hanging: Failing, shared_programs: Programs
) -> None:
    with failing_with(hanging.session):
        (lost,) = hanging.session.results("message_inbox")
        assert lost.is_error
        (blocked,) = hanging.session.results("memory_save")
        assert_blocked(blocked)
        assert calls(hanging.log)[-1] == "message_inbox"
        assert "The server is gone." in json.loads(hanging.session.finished.out)["result"]
