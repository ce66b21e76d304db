"""The very first start: two commands in an empty home, nothing installed, and the work begins."""

import json
from pathlib import Path

import pytest
from tests.clients.messages_api import Script, serve
from tests.clients.plugins import installing_from, make_small_marketplace
from tests.clients.programs import Programs
from tests.clients.sessions import (
    AGENT,
    NEVER_CALLED,
    ask_claude,
    main_thread,
    own_tools,
    subagent,
    use,
)
from tests.launcher.small_plugin import SmallPlugin
from tests.plugin.lint_agents import PREFIX

from ml_orchestrator.tools import TOOLS

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]


def call_once() -> Script:
    result = yield use("message_ack", agent=AGENT, message_ids=["one"])
    return f"It was {result.text}"


@pytest.fixture
def marketplace(tmp_path: Path) -> SmallPlugin:
    """A marketplace with the plug-in: agents, hooks and launcher, with a small server."""
    return make_small_marketplace(tmp_path / "market")


def test_the_first_request_of_the_first_subagent_has_every_tool_and_its_first_call_is_answered(
    programs: Programs, marketplace: SmallPlugin
) -> None:
    programs.install(marketplace.root)
    with serve(subagent(AGENT, call_once), main_thread(AGENT)) as api:
        done = ask_claude(
            programs,
            api,
            limit_s=180,
            **installing_from(marketplace, programs),
        )

    first, *_ = api.of(AGENT)
    assert set(first.tools) - {NEVER_CALLED} == own_tools(AGENT)
    assert "message_ack in " in done.out, done.said
    (environment,) = (programs.home / ".claude" / "plugins" / "data").glob("*/env-*")
    assert str(environment) in done.out


def test_an_option_given_at_installation_reaches_the_launcher_and_its_secret_no_other_file(
    programs: Programs, marketplace: SmallPlugin
) -> None:
    secret = "postgresql+psycopg://ml:not-for-files@127.0.0.1:1/ml"
    options = ("--config", "mode=read-only", "--config", f"database_url={secret}")
    programs.install(marketplace.root, *options)

    done = programs.claude(
        *("-p", "x", "--output-format", "stream-json", "--verbose"),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(marketplace.wheels),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )
    opening = json.loads(done.out.splitlines()[0])
    offered = {t.removeprefix(PREFIX) for t in opening["tools"] if t.startswith(PREFIX)}
    assert offered == {name for name, entry in TOOLS.items() if entry.reads_only}
    files = [path for path in programs.home.parent.rglob("*") if path.is_file()]
    assert [p.name for p in files if b"not-for-files" in p.read_bytes()] == [".credentials.json"]
