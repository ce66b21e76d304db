"""What every tool promises, whatever it does."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.types import TextContent

from ml_orchestrator.app import build_server
from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import TOOLS
from ml_orchestrator.tools._tool import tool

BOTH_ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])  # 2026-07-28 and 2025-11-25
LIMIT_BYTES = 30_000


def settings(tmp_path: Path, **given: Any) -> Settings:
    return Settings.read({}, project_dir=tmp_path, **given)


async def call(client: Client, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    result = await client.call_tool(name, arguments)
    first = result.content[0]
    assert isinstance(first, TextContent)
    return bool(result.is_error), first.text


@BOTH_ERAS
async def test_every_tool_is_listed_with_title_description_and_hints(
    tmp_path: Path, mode: Any
) -> None:
    async with Client(build_server(settings(tmp_path)), mode=mode) as client:
        tools = (await client.list_tools()).tools

    assert sorted(t.name for t in tools) == sorted(TOOLS)
    for listed in tools:
        assert listed.description
        assert listed.annotations is not None
        assert listed.annotations.title
        assert listed.output_schema is not None


async def test_every_argument_is_described_and_the_whole_list_is_small(tmp_path: Path) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        tools = (await client.list_tools()).tools

    for listed in tools:
        for name, schema in listed.input_schema["properties"].items():
            assert schema.get("description"), f"{listed.name}.{name}"
            assert "title" not in schema
    sent = sum(
        len(json.dumps([t.name, t.description, t.input_schema], separators=(",", ":")))
        for t in tools
    )
    assert sent < LIMIT_BYTES


async def test_an_unknown_argument_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "memory_load", {"agent": "a", "limt": 3})

    assert is_error
    assert text == (
        "memory_load was not run. Unknown argument 'limt' (did you mean 'limit'?); known: agent, "
        "task, limit."
    )


async def test_a_missing_argument_is_told_with_what_it_takes(tmp_path: Path) -> None:
    asked = {"model": "iris", "alias": "champion", "rows": [{"x": 1}]}
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "model_predict", asked)

    assert is_error
    assert text == (
        "model_predict was not run. Argument 'version' is missing. Number, or alias such as "
        "champion. Unknown argument 'alias'; known: model, version, rows."
    )


INSIGHT = {"area": "training", "insight": "Less is more.", "impact": "low", "confidence": 0.5}
WORK = {"collaborator": "performance-engineer", "success": True, "task_type": "latency"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"agent": "a", "limit": "3"}, "'limit'"),
        ({"agent": "a", "limit": 3.5}, "'limit'"),
        ({"agent": "a", "limit": True}, "'limit'"),
        ({"agent": 7}, "'agent'"),
        ({"agent": "a", "limit": 0}, "greater than or equal to 1"),
        ({"agent": "../x"}, "'agent'"),
        ({"agent": "champion\n"}, "'agent'"),
        ({}, "'agent' is missing"),
    ],
)
async def test_wrong_types_and_ranges_are_refused_not_coerced(
    tmp_path: Path, arguments: dict[str, Any], complaint: str
) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "memory_load", arguments)

    assert is_error
    assert text.startswith("memory_load was not run.")
    assert complaint in text


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"insights": [{**INSIGHT, "confidence": "0.5"}]}, "'insights.0.confidence'"),
        ({"insights": [{**INSIGHT, "confidence": True}]}, "'insights.0.confidence'"),
        ({"collaborations": [{**WORK, "success": "yes"}]}, "'collaborations.0.success'"),
        ({"used_records": [{"record_id": "i-1", "helped": 0}]}, "'used_records.0.helped'"),
    ],
)
async def test_wrong_types_inside_of_records_are_refused_not_coerced(
    tmp_path: Path, record: dict[str, Any], place: str
) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "memory_save", {"agent": "ml-orchestrator", **record})

    assert (is_error, text.startswith("memory_save was not run.")) == (True, True)
    assert place in text


async def test_ten_megabytes_in_one_argument_are_refused_with_what_to_do(tmp_path: Path) -> None:
    arguments = {"agent": "ml-orchestrator", "content": "x" * 10_000_000}
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "message_send", arguments)
        _, inbox = await call(client, "message_inbox", {"agent": "performance-engineer"})

    assert is_error
    assert "'content'" in text
    assert "1,000,000" in text
    assert "path" in text
    assert json.loads(inbox)["messages"] == []


async def test_an_agent_without_the_right_is_told_who_has_it(tmp_path: Path) -> None:
    move = {
        "agent": "data-pipeline-specialist",
        "model": "m",
        "alias": "champion",
        "version": 1,
        "expected_version": None,
        "reason": "because",
    }
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "registry_move_alias", move)

    assert is_error
    assert "may not use registry_move_alias; infrastructure-specialist, ml-orchestrator may" in text


async def test_a_read_only_server_has_no_tool_that_changes_anything(tmp_path: Path) -> None:
    async with Client(build_server(settings(tmp_path, mode="read-only"))) as client:
        names = {t.name for t in (await client.list_tools()).tools}

    assert names == {name for name, entry in TOOLS.items() if entry.reads_only}
    assert "registry_move_alias" not in names


async def test_a_tool_that_a_read_only_server_lacks_says_so_and_who_can_change_it(
    tmp_path: Path,
) -> None:
    async with Client(build_server(settings(tmp_path, mode="read-only"))) as client:
        answered = await call(client, "memory_save", {"agent": "ml-orchestrator"})

    said = "memory_save changes things and the mode is read-only. A person can set "
    assert answered == (True, f"{said}ML_ORCHESTRATOR_MODE=operator.")


@pytest.mark.parametrize("mode", ["operator", "read-only"])
async def test_a_tool_that_there_is_not_is_told_what_was_perhaps_meant(
    tmp_path: Path, mode: str
) -> None:
    async with Client(build_server(settings(tmp_path, mode=mode))) as client:
        answered = await call(client, "drift_chek", {})

    said = "No tool named 'drift_chek' (did you mean 'drift_check'?); "
    assert answered == (True, f"{said}tools/list names those there are.")


async def test_a_defect_stays_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(TOOLS, "_entries", dict(TOOLS._entries))

    @tool(title="Break", reads_only=True)
    async def break_things() -> dict[str, int]:
        """Break."""
        raise KeyError("secret detail")

    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "break_things", {})

    assert is_error
    assert text == "Error executing tool break_things"
    assert "secret detail" in caplog.text


async def test_an_expected_failure_reaches_the_caller_with_its_own_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TOOLS, "_entries", dict(TOOLS._entries))

    @tool(title="Refuse", reads_only=True)
    async def refuse() -> dict[str, int]:
        """Refuse."""
        raise OrchestratorError("No, and here is why.")

    async with Client(build_server(settings(tmp_path))) as client:
        assert await call(client, "refuse", {}) == (True, "No, and here is why.")


def test_a_tool_that_changes_things_must_say_who_asks() -> None:
    async def change() -> None: ...

    with pytest.raises(TypeError, match="agent"):
        tool(title="Change")(change)
    assert "change" not in TOOLS


def test_every_changing_tool_takes_an_agent() -> None:
    for name, entry in TOOLS.items():
        if not entry.reads_only:
            assert "agent" in inspect.signature(entry.handler).parameters, name


async def test_a_caller_cannot_supply_a_service(tmp_path: Path) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, "memory_load", {"agent": "a", "collaboration": "x"})

    assert is_error
    assert "Unknown argument 'collaboration'" in text


async def test_two_servers_live_in_one_process(tmp_path: Path) -> None:
    task = {"task_description": "t", "outcome": "success"}
    first, second = (build_server(settings(tmp_path / name)) for name in ("one", "two"))
    async with Client(first) as one, Client(second) as two:
        await call(one, "memory_save", {"agent": "ml-orchestrator", "task": task})
        _, here = await call(one, "memory_load", {"agent": "ml-orchestrator"})
        _, there = await call(two, "memory_load", {"agent": "ml-orchestrator"})

    assert json.loads(here)["memory"]["n_tasks"] == 1
    assert json.loads(there)["memory"]["n_tasks"] == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        ("message_inbox", {"agent": "a", "cursor": "1-" + "9" * 30}, "next_cursor"),
        ("message_inbox", {"agent": "a", "cursor": "é"}, "'cursor'"),
        ("registry_verify", {"model": "m", "version": 1.5}, "Argument 'version'"),
        ("message_inbox", {"agent": "a", "query": "\ud800"}, "half a character"),
    ],
)
async def test_odd_values_are_refused_in_words(
    tmp_path: Path, tool: str, arguments: dict[str, Any], complaint: str
) -> None:
    async with Client(build_server(settings(tmp_path))) as client:
        is_error, text = await call(client, tool, arguments)

    assert is_error
    assert complaint in text
    assert "Error executing" not in text
    assert "constrained" not in text
