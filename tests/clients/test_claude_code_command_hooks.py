"""Hooks as programs in real Claude Code: with no others, and beside those that call tools."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.messages_api import Call, Script
from tests.clients.plugins import changed_plugin
from tests.clients.programs import ROOT, Programs
from tests.clients.sessions import (
    AGENT,
    ASKED_TO_SAVE,
    IS_IT_THERE,
    Session,
    failing_with,
    hold_session,
    stored,
    use,
)

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

COLLEAGUE = "performance-engineer"
DONE = "tuned the ranker to AUC 0.71"
LAST_WORDS = "The report: nothing was done."


def save_under_a_colleagues_name() -> Script:
    """Save a task, forged."""
    task = {"task_description": DONE, "outcome": "success"}
    yield use("memory_save", agent=COLLEAGUE, task=task)
    return "Saved."


def stop_without_saving() -> Script:
    """Look at some files and stop."""
    yield Call("Glob", {"pattern": "*.csv"})
    return LAST_WORDS


@pytest.fixture(scope="module")
def turned_on(shared_programs: Programs) -> Programs:
    """Programs whose person has added what ``command_hook.py settings`` prints."""
    command = [sys.executable, "-I", "-S", str(ROOT / "hooks" / "command_hook.py"), "settings"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    (folder := shared_programs.home / ".claude").mkdir(exist_ok=True)
    (folder / "settings.json").write_bytes(printed)
    return shared_programs


@pytest.fixture(scope="module")
def alone(turned_on: Programs, tmp_path_factory: pytest.TempPathFactory) -> list[Session]:
    """Two sessions in which programs are the only hooks."""
    folder: Path = tmp_path_factory.mktemp("plugin") / "plugin"
    plugin = changed_plugin(folder, before_server=(), hooks={"hooks": {}})
    scripts = (save_under_a_colleagues_name, stop_without_saving)
    return [
        hold_session(turned_on, script, limit_s=120, plugin=plugin, first=IS_IT_THERE)
        for script in scripts
    ]


@pytest.fixture(scope="module")
def beside(turned_on: Programs, alone: list[Session]) -> Session:
    """A later session in which the shipped hooks run too."""
    return hold_session(turned_on, stop_without_saving, limit_s=120, first=IS_IT_THERE)


async def test_alone_they_bind_a_name_and_hand_memory_over(
    alone: list[Session], turned_on: Programs
) -> None:
    first, second = alone
    with failing_with(*alone):
        (saved,) = first.results("memory_save")
        assert saved.json()["agent_name"] == AGENT
        loaded = await stored(turned_on, "memory_load", COLLEAGUE)
        assert loaded["memory"]["n_tasks"] == 0
        assert [r for r in first.requests if ASKED_TO_SAVE in r.said] == []
        assert second.requests[0].said.count(DONE) == 1


async def test_alone_they_ask_once_and_then_save_a_minimal_record(
    alone: list[Session], beside: Session, turned_on: Programs
) -> None:
    with failing_with(*alone, beside):
        assert alone[1].requests[-1].said.count(ASKED_TO_SAVE) == 1
        assert LAST_WORDS in json.loads(alone[1].finished.out)["result"]
        assert DONE in alone[1].requests[-1].said


async def test_beside_hooks_that_call_tools_they_do_nothing(
    alone: list[Session], beside: Session, turned_on: Programs
) -> None:
    with failing_with(*alone, beside):
        assert beside.requests[0].said.count(DONE) == 1
        assert beside.requests[-1].said.count(ASKED_TO_SAVE) == 1
        loaded = await stored(turned_on, "memory_load", AGENT)
        tasks = [task["task_description"] for task in loaded["memory"]["task_history"]]
        assert tasks == [LAST_WORDS, LAST_WORDS, DONE]
