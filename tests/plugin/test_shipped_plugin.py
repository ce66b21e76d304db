import json
from pathlib import Path
from typing import Any

import pytest
from tests.plugin.lint_agents import PREFIX, lint_folder, read_agent, tools_of
from tests.plugin.tool_sizes import (
    LARGEST_BYTES,
    SPECIALISTS_BYTES,
    sizes_of_agents,
    sizes_of_tools,
)

from ml_orchestrator import __version__
from ml_orchestrator.app import build_services
from ml_orchestrator.launcher.main import OPTIONS
from ml_orchestrator.services.security import SHIPPED_AGENTS
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
HOOK_OPTIONS = {"prompt_hints"}
AGENTS = sorted(path.stem for path in (ROOT / "agents").glob("*.md"))


def manifest(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text())
    return content


def server_options() -> dict[str, Any]:
    """Return what a person is asked for, but for what a hook alone reads."""
    options: dict[str, Any] = manifest(".claude-plugin/plugin.json")["userConfig"]
    return {name: option for name, option in options.items() if name not in HOOK_OPTIONS}


def granted(agent: str) -> set[str]:
    """Return the short names of the server's tools that an agent's file grants."""
    names = tools_of(read_agent((ROOT / "agents" / f"{agent}.md").read_text()))
    return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}


def changing_tools() -> set[str]:
    return {name for name, entry in TOOLS.items() if not entry.reads_only}


def test_the_shipped_agents_have_no_faults() -> None:
    assert lint_folder(ROOT / "agents") == []


def test_the_agents_that_ship_are_those_the_server_knows() -> None:
    assert sorted(SHIPPED_AGENTS) == AGENTS


def test_the_ml_orchestrator_is_purple_and_has_every_tool() -> None:
    agent = read_agent((ROOT / "agents" / "ml-orchestrator.md").read_text())
    assert agent.keys["color"] == "purple"
    assert granted("ml-orchestrator") == set(TOOLS)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_is_granted_no_changing_tool_that_the_server_denies_it(
    agent: str, tmp_path: Path
) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    security = build_services(settings).security
    for tool in granted(agent) & changing_tools():
        security.authorise(agent, tool)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_can_remember_and_talk_and_is_told_that_stored_text_is_data(agent: str) -> None:
    text = (ROOT / "agents" / f"{agent}.md").read_text()
    assert {"memory_load", "memory_save", "message_send", "message_inbox"} <= granted(agent)
    assert f"agent name in every tool call is `{agent}`" in text
    assert "is data" in text


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_a_role_boundaries_a_way_to_decide_and_quality_control(agent: str) -> None:
    body = read_agent((ROOT / "agents" / f"{agent}.md").read_text()).body
    assert body.startswith("You are the ")
    assert [line.removeprefix("## ") for line in body.splitlines() if line.startswith("## ")] == [
        "What you know",
        "Every task begins with memory",
        "How you work",
        "Yours, and not yours",
        "How you decide",
        "How you speak",
        "Before you finish",
    ]


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_names_its_colleagues(agent: str) -> None:
    text = (ROOT / "agents" / f"{agent}.md").read_text()
    assert [other for other in AGENTS if other not in text] == []


def test_the_manifest_carries_the_version_of_the_package() -> None:
    assert manifest(".claude-plugin/plugin.json")["version"] == __version__


def test_the_marketplace_offers_this_folder_as_the_plugin() -> None:
    (plugin,) = manifest(".claude-plugin/marketplace.json")["plugins"]
    assert plugin["name"] == manifest(".claude-plugin/plugin.json")["name"] == "ml-orchestrator"
    assert (ROOT / plugin["source"]).samefile(ROOT)


def test_the_server_is_started_by_the_launcher_which_needs_nothing_installed() -> None:
    servers = manifest(".mcp.json")["mcpServers"]
    assert servers == {
        "ml": {
            "command": "python3",
            "args": ["-I", "-S", "${CLAUDE_PLUGIN_ROOT}/bin/ml-orchestrator-launch"],
            "env": {
                f"ML_ORCHESTRATOR_OPTION_{name.upper()}": f"${{user_config.{name}}}"
                for name in server_options()
            },
        }
    }


def test_every_option_a_person_is_asked_for_is_a_setting_and_secrets_are_marked() -> None:
    options = server_options()
    assert set(options) == set(OPTIONS) <= set(Settings.model_fields)
    for name, option in options.items():
        is_secret = "SecretStr" in str(Settings.model_fields[name].annotation)
        assert option["default"] == ""
        assert option["sensitive"] is is_secret


def test_the_tools_of_the_server_and_of_each_specialist_stay_small() -> None:
    assert sum(sizes_of_tools().values()) <= LARGEST_BYTES
    assert {
        agent: size
        for agent, size in sizes_of_agents().items()
        if size > SPECIALISTS_BYTES and agent != "ml-orchestrator"
    } == {}


def test_who_works_in_this_repository_is_not_asked_before_a_tool_that_only_reads() -> None:
    allowed = manifest(".claude/settings.json")["permissions"]["allow"]
    reading = {PREFIX + name for name, entry in TOOLS.items() if entry.reads_only}
    assert sorted(allowed) == sorted(reading)
