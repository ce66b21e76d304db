"""Memory and messages, through the client."""

import json
import re
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.types import TextResourceContents
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

ME, YOU = "ml-orchestrator", "performance-engineer"


def server(tmp_path: Path) -> Any:
    return build_server(Settings.read({}, project_dir=tmp_path))


async def test_what_was_saved_is_loaded_by_a_later_session(tmp_path: Path) -> None:
    task = {
        "task_description": "tuned the ranker",
        "outcome": "partial",
        "key_insights": ["trees beat lines"],
        "delegations": [{"to_agent": YOU, "reason": "latency", "outcome": "success"}],
    }
    insight = {
        "area": "model_performance",
        "insight": "AUC 0.71 at depth 4",
        "impact": "high",
        "confidence": 0.9,
    }
    work = {"collaborator": YOU, "success": True, "task_type": "latency"}
    async with Client(server(tmp_path)) as client:
        saved = await ask(
            client, "memory_save", agent=ME, task=task, insights=[insight], collaborations=[work]
        )
    async with Client(server(tmp_path)) as client:
        loaded = await ask(client, "memory_load", agent=f"ml-orchestrator:{ME}")

    memory = loaded["memory"]
    assert (saved["n_insights_added"], saved["n_collaborations_added"]) == (1, 1)
    assert memory["agent_name"] == ME
    (found,) = memory["task_history"]
    session = found["saved_by"].pop("session")
    assert re.fullmatch(r"\w+/[0-9a-f]{12}", session)
    assert found == {
        **task,
        "task_id": saved["task_id"],
        "timestamp": saved["saved_at"],
        "record_id": saved["record_ids"][0],
        "flags": [],
        "is_pinned": False,
        "n_merged": 1,
        "first_at": saved["saved_at"],
        "n_helped": 0,
        "n_misled": 0,
        "saved_by": {
            "agent": ME,
            "tool": "memory_save",
            "source": "agent",
            "at": saved["saved_at"],
        },
    }
    assert memory["optimization_insights"][0]["insight"] == "AUC 0.71 at depth 4"
    (colleague,) = memory["collaboration_patterns"]["frequent_collaborators"]
    assert (colleague["agent_name"], colleague["success_rate"]) == (YOU, 1.0)


async def test_an_outcome_that_does_not_exist_is_refused_and_nothing_is_saved(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        text = await refusal(
            client, "memory_save", agent=ME, task={"task_description": "x", "outcome": "great"}
        )
        loaded = await ask(client, "memory_load", agent=ME)

    assert "task.outcome" in text
    assert "'success'" in text
    assert loaded["memory"]["n_tasks"] == 0


async def test_a_message_is_announced_read_and_acknowledged(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        sent = await ask(
            client,
            "message_send",
            agent=ME,
            message_type="warning",
            content="p99 doubled",
            target_agents=[YOU],
            priority="urgent",
            metadata={"model_alias": "@champion"},
        )
        announced = await ask(client, "memory_load", agent=YOU)
        inbox = await ask(client, "message_inbox", agent=YOU)
        done = await ask(client, "message_ack", agent=YOU, message_ids=[sent["message_id"]])
        after = await ask(client, "message_inbox", agent=YOU)

    waiting = {"n_unread": 1, "n_urgent": 1, "urgent": ["p99 doubled"], "flags": []}
    assert announced["unread"] == waiting
    (message,) = inbox["messages"]
    assert (message["content"], message["priority"]) == ("p99 doubled", "urgent")
    assert message["metadata"] == {"model_alias": "@champion"}
    assert (done["unread"]["n_unread"], after["messages"]) == (0, [])


async def test_metadata_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        text = await refusal(
            client, "message_send", agent=ME, content="x", metadata={"a": "y" * 30_000}
        )

    assert "20,000 bytes" in text


async def test_memory_is_a_resource_too_and_agents_are_completed(tmp_path: Path) -> None:
    from mcp.types import ResourceTemplateReference

    async with Client(server(tmp_path)) as client:
        task = {"task_description": "t", "outcome": "success"}
        await ask(client, "memory_save", agent=ME, task=task)
        read = await client.read_resource(f"memory://{ME}")
        completion = await client.complete(
            ResourceTemplateReference(type="ref/resource", uri="memory://{agent}"),
            {"name": "agent", "value": "ml"},
        )

    content = read.contents[0]
    assert isinstance(content, TextResourceContents)
    assert json.loads(content.text)["n_tasks"] == 1
    assert completion.completion.values == [ME]


async def test_prompts_name_their_arguments(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        prompts = (await client.list_prompts()).prompts
        text = await client.get_prompt("promote", {"model": "ranker"})

    assert sorted(p.name for p in prompts) == [
        "diagnose-drift",
        "improve-prompt",
        "promote",
        "train",
    ]
    assert all(p.description and all(a.description for a in p.arguments or []) for p in prompts)
    assert "'ranker'" in text.messages[0].content.text  # type: ignore[union-attr]


async def test_the_shared_context_is_changed_by_who_read_it_last(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        first = await ask(
            client, "context_update", agent=ME, content={"goal": "ship"}, expected_revision=0
        )
        late = await refusal(
            client, "context_update", agent=YOU, content={"goal": "x"}, expected_revision=0
        )
        loaded = await ask(client, "memory_load", agent=YOU)

    assert first["revision"] == 1
    assert "revision 1, not 0" in late
    assert loaded["shared_context"]["content"] == {"goal": "ship"}
    assert loaded["shared_context"]["tool"] == "context_update"
    assert loaded["shared_context"]["session"].startswith("mcp/")


async def test_two_agents_may_use_the_same_key(tmp_path: Path) -> None:
    task = {"task_description": "t", "outcome": "success"}
    async with Client(server(tmp_path)) as client:
        for agent in (ME, YOU):
            await ask(client, "memory_save", agent=agent, task=task, idempotency_key="1")
            assert (await ask(client, "memory_load", agent=agent))["memory"]["n_tasks"] == 1


async def test_a_colleague_is_one_person_under_both_of_its_names(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        for name in (YOU, f"ml-orchestrator:{YOU}"):
            work = {"collaborator": name, "success": True, "task_type": "latency"}
            await ask(client, "memory_save", agent=ME, collaborations=[work])
        loaded = await ask(client, "memory_load", agent=ME)

    (colleague,) = loaded["memory"]["collaboration_patterns"]["frequent_collaborators"]
    assert (colleague["agent_name"], colleague["collaboration_frequency"]) == (YOU, 2)
