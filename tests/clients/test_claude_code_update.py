"""A new version comes while a session is running: the update as a person makes it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.clients.messages_api import Script, serve
from tests.clients.plugins import installing_from, make_small_marketplace
from tests.clients.programs import Finished, Programs
from tests.clients.sessions import AGENT, ask_claude, main_thread, subagent, use
from tests.launcher.small_plugin import SmallPlugin

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

WHO_ANSWERS = use("message_ack", agent=AGENT, message_ids=["one"])  # names its environment


def test_a_running_session_goes_on_with_its_version_and_the_next_one_has_the_new(
    programs: Programs, tmp_path: Path
) -> None:
    marketplace = make_small_marketplace(tmp_path / "market")
    programs.install(marketplace.root)
    updates: list[str] = []

    def before_and_after() -> Script:
        before = yield WHO_ANSWERS
        if not updates:  # the script is replayed for each request
            updates.append(_update(programs, marketplace))
        after = yield WHO_ANSWERS
        return f"{before.text} {after.text}"

    def once() -> Script:
        return (yield WHO_ANSWERS).text

    running = _hold_session(programs, marketplace, before_and_after)
    (old,) = _environments(programs)
    following = _hold_session(programs, marketplace, once)
    (new,) = _environments(programs)

    assert "updated from 0.1.0 to 0.2.0" in updates[0]
    assert running.out.count(f"message_ack in {old}") == 2, running.said
    assert f"message_ack in {new}" in following.out, following.said
    assert old != new


def _update(programs: Programs, marketplace: SmallPlugin) -> str:
    """Publish another version and take it; return what Claude Code says to that."""
    marketplace.upgrade()
    manifest = marketplace.root / ".claude-plugin" / "plugin.json"
    manifest.write_text(manifest.read_text().replace('"version": "0.1.0"', '"version": "0.2.0"'))
    refreshed = programs.claude("plugin", "marketplace", "update", "ml-orchestrator")
    updated = programs.claude("plugin", "update", "ml-orchestrator@ml-orchestrator")
    return refreshed.said + updated.said


def _hold_session(
    programs: Programs, marketplace: SmallPlugin, script: Callable[[], Script]
) -> Finished:
    with serve(subagent(AGENT, script), main_thread(AGENT)) as api:
        return ask_claude(
            programs,
            api,
            limit_s=180,
            **installing_from(marketplace, programs),
        )


def _environments(programs: Programs) -> list[Path]:
    """Return where servers are installed now."""
    return list((programs.home / ".claude" / "plugins" / "data").glob("*/env-*"))
