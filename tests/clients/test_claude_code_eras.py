"""Real Claude Code over both eras of the protocol: the same session, spoken differently.

It opens with the newer era and goes back to the older one if the server does not know that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.clients.go_between import calls, requests
from tests.clients.messages_api import Script
from tests.clients.plugins import changed_plugin, go_between_command
from tests.clients.programs import Programs
from tests.clients.sessions import (
    AGENT,
    NEVER_CALLED,
    Session,
    failing_with,
    hold_session,
    own_tools,
    use,
)

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

COLLEAGUE = "performance-engineer"
NEWER, OLDER = "2026-07-28", "2025-11-25"
SPOILT = {NEWER: (), OLDER: ("--unknown", "server/discover")}
VERSION = "io.modelcontextprotocol/protocolVersion"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A session in one era, and all that its client sent to the server."""

    era: str
    session: Session
    log: Path

    @property
    def requests(self) -> Sequence[dict[str, Any]]:
        """What the client sent, oldest first."""
        return requests(self.log)


def save_and_load() -> Script:
    """Save a task under a colleague's name and load it."""
    task = {"task_description": "Spoke to the server", "outcome": "success"}
    yield use("memory_save", agent=COLLEAGUE, task=task)
    yield use("memory_load", agent=AGENT)
    return "Done."


@pytest.fixture(scope="module", params=SPOILT)
def spoken(
    request: pytest.FixtureRequest, installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Spoken:
    """The same session in each era."""
    era: str = request.param
    folder = tmp_path_factory.mktemp("era")
    log = folder / "asked"
    command = go_between_command(log, *SPOILT[era])
    plugin = changed_plugin(folder / "plugin", before_server=command)
    programs = Programs.fresh(folder)
    return Spoken(era, hold_session(programs, save_and_load, limit_s=120, plugin=plugin), log)


def test_claude_code_speaks_the_era_that_the_server_knows(spoken: Spoken) -> None:
    with failing_with(spoken.session):
        opened = [r for r in spoken.requests if r["method"] == "initialize"]
        assert [r["params"]["protocolVersion"] for r in opened] == (
            [OLDER] if spoken.era == OLDER else []
        )
        called = [r for r in spoken.requests if r["method"] == "tools/call"]
        marked = {r["params"].get("_meta", {}).get(VERSION) for r in called}
        assert marked == {None if spoken.era == OLDER else NEWER}


def test_tools_and_hooks_work_in_each_era(spoken: Spoken) -> None:
    with failing_with(spoken.session):
        sent = set(spoken.session.requests[0].tools) - {NEVER_CALLED}
        assert sent == own_tools(AGENT)
        (saved,) = spoken.session.results("memory_save")
        (loaded,) = spoken.session.results("memory_load")
        assert saved.json()["agent_name"] == AGENT
        (task,) = loaded.json()["memory"]["task_history"]
        assert task["task_description"] == "Spoke to the server"
        assert set(calls(spoken.log)) == {
            *("memory_save", "memory_load"),
            *(
                "hook_prompt",
                "hook_start",
                "hook_bind",
                "hook_delegate",
                "hook_saved",
                "hook_batch",
            ),
            "hook_stop",
        }
