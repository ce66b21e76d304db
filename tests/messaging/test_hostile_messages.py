"""Hostile messages come back whole, marked and as data, and change no decision."""

from pathlib import Path
from typing import Any

from mcp.client import Client
from tests.memory.deciding import decisions, make_a_project
from tests.memory.hostile import HONEST, HOSTILE
from tests.tools.asking import ask
from tests.tools.test_hook_tools import RUNNING, hook, records, told
from tests.tools.test_memory_and_message_tools import ME, YOU

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.text import clean, is_hidden

FLOOD = {"messages_per_minute": 10_000, "messages_per_minute_to_one": 10_000}


async def send(client: Client, text: str, kind: str, **more: Any) -> str:
    sent = await ask(
        client,
        "message_send",
        agent=YOU,
        message_type=kind,
        content=text.encode("utf-8", "replace").decode(),  # half characters: not over MCP
        target_agents=[ME],
        **more,
    )
    return str(sent["message_id"])


async def inbox(client: Client) -> dict[str, dict[str, Any]]:
    """Return every message there is, by its id."""
    found: dict[str, dict[str, Any]] = {}
    more: dict[str, Any] = {}
    while True:
        page = await ask(client, "message_inbox", agent=ME, limit=100, **more)
        found |= {message["message_id"]: message for message in page["messages"]}
        if page["next_cursor"] is None:
            return found
        more = {"cursor": page["next_cursor"]}


async def test_hostile_messages_are_returned_as_marked_data_and_change_no_decision(
    tmp_path: Path, home: Path
) -> None:
    fact = {"area": "honest", "insight": "trees won", "impact": "low", "confidence": 0.5}
    rollout_id = make_a_project(home)
    settings = Settings.read({}, project_dir=tmp_path, home=home, **FLOOD)
    async with Client(build_server(settings)) as client:
        record_id = (await ask(client, "memory_save", agent=ME, insights=[fact]))["record_ids"][0]
        kept = {"record_id": record_id, "rollout_id": rollout_id}
        before = await decisions(client, home, **kept)
        ids = {h.name: await send(client, h.text, "insight") for h in HOSTILE}
        honest = [await send(client, text, "warning") for text in HONEST]
        for kind in ("delegation", "approval", "system"):
            await send(client, HOSTILE[0].text, kind, metadata={"approval": HOSTILE[0].text})
        await send(client, HOSTILE[0].text, "warning", priority="urgent")
        after = await decisions(client, home, **kept)
        handed = told(await hook(client, "hook_start", **RUNNING), "SubagentStart")
        found = await inbox(client)

    assert after == before
    assert [state for _, state, _ in after[-1]] == ["pending", "pending"]
    for hostile in HOSTILE:
        if hostile.name == "half characters":
            continue
        message = found[ids[hostile.name]]
        assert message["content"] == clean(hostile.text).text, hostile.name
        assert hostile.flag in message["flags"], hostile.name
    assert [found[id_]["flags"] for id_ in honest] == [[]] * len(honest)
    assert not [char for char in handed if is_hidden(char) and char != "\n"]
    assert handed.count("\n--- ") == 2
    first = records(handed)[0]
    assert (first["record"], first["priority"]) == ("message", "urgent")
    assert HOSTILE[0].flag in first["flags"]
