"""Search, digest, forgetting and provenance of memory, through the client."""

from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from tests.tools.asking import ask, refusal
from tests.tools.test_memory_and_message_tools import ME, YOU, server


async def save_insight(client: Client, agent: str, text: str, **given: Any) -> str:
    insight = {"area": "training", "insight": text, "impact": "high", "confidence": 0.9}
    saved = await ask(client, "memory_save", agent=agent, insights=[insight], **given)
    return str(saved["record_ids"][0])


async def test_what_a_colleague_learnt_is_found_and_ranks_higher_once_it_helped(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        older = await save_insight(client, YOU, "calibrate with isotonic regression")
        await save_insight(client, YOU, "calibrate with Platt scaling")
        before = await ask(client, "memory_search", query="calibrate")
        used = [{"record_id": older, "helped": True}]
        await ask(client, "memory_save", agent=ME, used_records=used)
        after = await ask(client, "memory_search", query="calibrate", of_agent=YOU, limit=1)

    assert [hit["text"] for hit in before["hits"]] == [
        "calibrate with Platt scaling",
        "calibrate with isotonic regression",
    ]
    (hit,) = after["hits"]
    assert (hit["record_id"], hit["agent"], hit["why"]["usefulness"]) == (older, YOU, 0.6667)
    assert after["next_cursor"] is not None


async def test_records_are_pinned_later_and_let_go_and_unknown_ones_are_named(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        record_id = await save_insight(client, YOU, "keep this one")
        pinned = await ask(client, "memory_save", agent=ME, pin=[record_id, "i-none"])
        (kept,) = (await ask(client, "memory_search"))["hits"]
        await ask(client, "memory_save", agent=ME, unpin=[record_id])
        (let_go,) = (await ask(client, "memory_search"))["hits"]
        both = await refusal(client, "memory_save", agent=ME, pin=[record_id], unpin=[record_id])

    assert pinned["unknown_records"] == ["i-none"]
    assert (kept["is_pinned"], let_go["is_pinned"]) == (True, False)
    assert record_id in both


async def test_naming_the_task_brings_what_is_known_about_it(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        for outcome in ("success", "failure"):
            task = {"task_description": f"tune the churn model: {outcome}", "outcome": outcome}
            await ask(client, "memory_save", agent=YOU, task=task)
        fact = {"subject": "churn", "statement": "churn is 4 %", "source": "CRM", "confidence": 1}
        await ask(client, "memory_save", agent=ME, knowledge=[fact])
        loaded = await ask(client, "memory_load", agent=ME, task="Tune the churn model again")

    digest = loaded["digest"]
    assert digest["success"] == {"rate": 0.5, "low": 0.095, "high": 0.905, "n": 2}
    assert [lesson["text"] for lesson in digest["worked"]] == ["tune the churn model: success"]
    assert [lesson["text"] for lesson in digest["failed"]] == ["tune the churn model: failure"]
    assert loaded["memory"]["domain_knowledge"][0]["statement"] == "churn is 4 %"


async def test_forgetting_takes_two_steps_and_does_exactly_what_was_planned(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        wrong = await save_insight(client, YOU, "wrong")
        await save_insight(client, YOU, "right")
        what = {"agent": ME, "reason": "measured wrongly", "record_ids": [wrong]}

        unplanned = await refusal(client, "memory_forget", **what)
        planned = await ask(client, "memory_forget", **what, dry_run=True)
        still_there = await ask(client, "memory_search", query="wrong")
        digest = planned["plan"]["digest"]
        done = await ask(client, "memory_forget", **what, plan_digest=digest)
        again = await refusal(client, "memory_forget", **what, plan_digest=digest)
        left = await ask(client, "memory_load", agent=YOU)

    assert "dry_run" in unplanned
    assert planned["plan"]["effects"] == [f"{YOU}: insight records 2 -> 1"]
    assert (planned["is_done"], len(still_there["hits"])) == (False, 1)
    assert (done["is_done"], done["plan"]) == (True, planned["plan"])
    assert "not what would be forgotten now" in again
    assert [i["insight"] for i in left["memory"]["optimization_insights"]] == ["right"]


async def test_only_the_ml_orchestrator_may_forget(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        id_ = await save_insight(client, YOU, "mine")
        text = await refusal(
            client, "memory_forget", agent=YOU, reason="because", record_ids=[id_], dry_run=True
        )

    assert "may not use memory_forget; ml-orchestrator may" in text


async def test_two_sessions_of_a_client_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        async with Client(server(tmp_path)) as client:
            await save_insight(client, ME, name)
    async with Client(server(tmp_path)) as client:
        loaded = await ask(client, "memory_load", agent=ME)

    sessions = {i["saved_by"]["session"] for i in loaded["memory"]["optimization_insights"]}
    assert len(sessions) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"since": "yesterday"}, "'since'"),
        ({"kind": "dream"}, "'kind'"),
        ({"limit": 0}, "'limit'"),
        ({"query": "x" * 1_001}, "'query'"),
        ({"cursor": "0/1/2"}, "next_cursor"),
    ],
)
async def test_a_search_that_cannot_be_meant_is_refused_in_words(
    tmp_path: Path, arguments: dict[str, Any], complaint: str
) -> None:
    async with Client(server(tmp_path)) as client:
        assert complaint in await refusal(client, "memory_search", **arguments)


async def test_times_bound_a_search(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        await save_insight(client, ME, "now")
        since = await ask(client, "memory_search", query="now", since="2020-01-01")
        until = await ask(client, "memory_search", query="now", until="2020-01-01T00:00:00+02:00")

    assert (len(since["hits"]), len(until["hits"])) == (1, 0)


async def test_blank_text_is_refused_with_its_places_and_nothing_is_saved(tmp_path: Path) -> None:
    task = {"task_description": "   ", "outcome": "success", "key_insights": ["good", "\n"]}
    insight = {"area": "training", "insight": " ", "impact": "low", "confidence": 1}
    fact = {"subject": "age", "statement": "\t", "source": "CRM", "confidence": 1}
    given: dict[str, Any] = {"task": task, "insights": [insight], "knowledge": [fact]}
    async with Client(server(tmp_path)) as client:
        said = await refusal(client, "memory_save", agent=ME, **given)
        found = await ask(client, "memory_search")

    assert said == (
        "Blank: task.task_description, task.key_insights[1], insights[0].insight, "
        "knowledge[0].statement. Write what is to be remembered, or leave that entry out. "
        "Nothing was saved."
    )
    assert found["hits"] == []


async def test_forgetting_wants_a_reason_that_is_not_blank(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        said = await refusal(
            client, "memory_forget", agent=ME, reason="    ", kind="task", dry_run=True
        )

    assert "Argument 'reason': is blank; say why they go" in said


async def test_a_plan_to_forget_what_a_stranger_remembers_says_who_was_perhaps_meant(
    tmp_path: Path,
) -> None:
    given = {"agent": ME, "reason": "test", "dry_run": True}
    async with Client(server(tmp_path)) as client:
        stranger = await ask(client, "memory_forget", **given, of_agent="performence-engineer")
        known = await ask(client, "memory_forget", **given, of_agent=YOU)

    assert stranger["plan"]["effects"] == [
        "Nothing is forgotten: no record fits.",
        "No agent named 'performence-engineer' (did you mean 'performance-engineer'?) is known "
        "here.",
    ]
    assert known["plan"]["effects"] == ["Nothing is forgotten: no record fits."]
