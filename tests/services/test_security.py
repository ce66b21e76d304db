"""Rights of agents on tools."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.errors import InvalidInputError, PermissionDeniedError, UnavailableError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.services import SecurityIntegrationService
from ml_orchestrator.services.security import _RIGHTS, MOST_REFUSALS, SHIPPED_AGENTS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.tools import TOOLS

CHANGING = sorted(name for name, entry in TOOLS.items() if not entry.reads_only)
DESTRUCTIVE = sorted(n for n, entry in TOOLS.items() if entry.annotations.destructive_hint)


def service(
    tmp_path: Path, *, entered: Callable[[str, str, str], None] | None = None, **given: Any
) -> SecurityIntegrationService:
    return SecurityIntegrationService(
        Settings.read({}, project_dir=tmp_path, **given),
        approvals=lambda: open_approvals(open_database(f"sqlite:///{tmp_path}/state.db", tmp_path)),
        enter=entered if entered is not None else lambda *_: None,
    )


def rights(tmp_path: Path, agent: str) -> set[str]:
    """Which changing tools an agent may use, as it is checked."""
    allowed, security = set[str](), service(tmp_path)
    for name in CHANGING:
        with suppress(PermissionDeniedError):
            security.authorise(agent, name)
            allowed.add(name)
    return allowed


def test_the_documented_rights_are_those_that_are_checked(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/security.md").read_text(encoding="utf-8")
    (open_to_all,) = re.findall(r"^Reading is open to all, and so are (.+?)\.$", text, re.M | re.S)
    rows = re.findall(r"^\| (`[a-z-]+`|anyone else) \| (.+) \|$", text, re.M)
    documented = {agent.strip("`"): set(re.findall(r"`(\w+)`", said)) for agent, said in rows}

    everybody = rights(tmp_path, "stranger")
    assert set(re.findall(r"`(\w+)`", open_to_all)) == everybody
    assert documented == {
        "anyone else": set(),
        **{agent: rights(tmp_path, agent) - everybody for agent in SHIPPED_AGENTS},
    }


def test_rights_are_given_to_the_agents_that_ship_and_to_no_others() -> None:
    assert sorted(_RIGHTS) == sorted(SHIPPED_AGENTS)


@pytest.mark.parametrize("tool", CHANGING)
def test_the_orchestrator_may_use_every_tool(tmp_path: Path, tool: str) -> None:
    service(tmp_path).authorise("ml-orchestrator", tool)


@pytest.mark.parametrize("tool", DESTRUCTIVE)
def test_a_stranger_may_use_no_destructive_tool(tmp_path: Path, tool: str) -> None:
    with pytest.raises(PermissionDeniedError, match=f"'stranger' may not use {tool}"):
        service(tmp_path).authorise("stranger", tool)


def test_a_stranger_may_remember_and_write_messages(tmp_path: Path) -> None:
    for tool in ("memory_save", "message_send", "message_ack"):
        service(tmp_path).authorise("stranger", tool)


def test_a_name_that_claims_to_be_of_another_plugin_has_no_rights_of_ours(tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError):
        service(tmp_path).authorise("other-plugin:ml-orchestrator", "registry_move_alias")


def test_our_plugins_prefix_is_dropped() -> None:
    assert canonical_agent("ml-orchestrator:performance-engineer") == "performance-engineer"


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "champion\n", "é", "a" * 65, "a:b:c"])
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="not an agent's name"):
        canonical_agent(name)


def test_read_only_refuses_every_change(tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError, match="ML_ORCHESTRATOR_MODE=operator"):
        service(tmp_path, mode="read-only").authorise("ml-orchestrator", "memory_save")


async def test_read_only_lets_nobody_approve(tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError, match="read-only"):
        await service(tmp_path, mode="read-only").decide(
            "x", "approved", decided_by="ada", via="terminal"
        )


async def test_refusals_are_entered_once_a_while_and_not_without_end(tmp_path: Path) -> None:
    entered: list[tuple[str, str, str]] = []
    security = service(tmp_path, entered=lambda *entry: entered.append(entry))
    for _ in range(2):
        for number in range(MOST_REFUSALS + 5):
            await security.note_refusal(f"agent-{number}", "memory_forget")

    expected = [
        ("right.refused", f"agent-{number}", "tool:memory_forget")
        for number in range(MOST_REFUSALS)
    ]
    assert entered == expected


async def test_a_refusal_that_cannot_be_entered_is_one_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: str) -> None:
        raise UnavailableError("the disk is full")

    await service(tmp_path, entered=fails).note_refusal("agent", "memory_forget")
    assert "The refusal of memory_forget to agent could not be entered" in caplog.text
