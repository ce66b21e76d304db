"""Usual calls go a shorter way, and answer to the letter as they would on mcp's own."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from tests.tools.asking import ask

from ml_orchestrator.app import build_server
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import OrchestratorServer, _shortcut

ME, YOU = "ml-orchestrator", "performance-engineer"
LIMIT_S = 60.0
HELLO = {"capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
CALLS: tuple[Mapping[str, Any], ...] = (
    {"name": "memory_load", "arguments": {"agent": ME}},
    {"name": "memory_load", "arguments": {"agent": ME}, "_meta": {"progressToken": 7}},
    {"name": "memory_load", "arguments": {"agent": ME}, "_meta": {"theirs/key": "x"}},
    {"name": "memory_load", "arguments": {"agent": ME, "limit": "many"}},
    {"name": "memory_save", "arguments": {"agent": ME}},
    {"name": "registry_move_alias", "arguments": {"agent": YOU}},
    {"name": "message_ack", "arguments": {"agent": ME, "message_ids": ["no such"]}},
    {"name": "health_get", "arguments": {}},
    {"name": "no_such_tool", "arguments": {}},
    {"name": "memory_load"},
    {"name": "memory_load", "arguments": None},
    {"name": "memory_load", "arguments": [1]},
    {"name": "memory_load", "arguments": {"agent": ME}, "_meta": 5},
    {"name": "memory_load", "arguments": {"agent": ME}, "_meta": {"progressToken": [1]}},
    {"name": "memory_load", "arguments": {"agent": ME}, "task": {"ttl": "soon"}},
    {"name": 5, "arguments": {}},
    {"arguments": {}},
)


class Raw:
    """A client that sees results as they are written."""

    def __init__(self, give: Any, take: Any) -> None:
        self._give, self._take, self._n = give, take, 0

    async def request(self, method: str, params: Mapping[str, Any] | None) -> Any:
        """Return a result, or the code and the message of an error."""
        self._n += 1
        request = JSONRPCRequest(jsonrpc="2.0", id=self._n, method=method, params=params)
        await self._give.send(SessionMessage(request))
        while True:
            answer = (await self._take.receive()).message
            if isinstance(answer, JSONRPCResponse):
                return answer.result
            if isinstance(answer, JSONRPCError):
                return answer.error.code, answer.error.message

    async def notify(self, method: str) -> None:
        """Tell something."""
        await self._give.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method=method)))


@asynccontextmanager
async def raw_client(folder: Path, version: str | None) -> AsyncIterator[Raw]:
    """Give a client of a server on ``folder`` that has said hello in a version, or has not."""
    below: Any = build_server(Settings.read({}, project_dir=folder))._lowlevel_server
    give, heard = anyio.create_memory_object_stream[Any](1)
    said, take = anyio.create_memory_object_stream[Any](1)
    with anyio.fail_after(LIMIT_S):
        async with give, take, anyio.create_task_group() as tasks:
            options = below.create_initialization_options()
            tasks.start_soon(below.run, heard, said, options)
            client = Raw(give, take)
            if version is not None:
                await client.request("initialize", {**HELLO, "protocolVersion": version})
                await client.notify("notifications/initialized")
            await client.request("tools/list", None)
            yield client
            tasks.cancel_scope.cancel()


async def answers(folder: Path, version: str | None) -> list[Any]:
    async with raw_client(folder, version) as client:
        return [await client.request("tools/call", params) for params in CALLS]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25", None])
async def test_an_answer_is_the_same_on_both_ways(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = await answers(tmp_path / "short", version)
    monkeypatch.setattr(_shortcut, "_usual", lambda _: None)
    long = await answers(tmp_path / "long", version)

    assert [_without_times(answer) for answer in short] == [_without_times(a) for a in long]


async def test_only_usual_calls_of_tools_that_ask_nobody_go_the_shorter_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    call = OrchestratorServer._call_below

    async def noted(self: OrchestratorServer, ctx: Any, params: Any) -> Any:
        taken.append(params.name)
        return await call(self, ctx, params)

    monkeypatch.setattr(OrchestratorServer, "_call_below", noted)
    await answers(tmp_path, "2025-11-25")

    assert taken == [*["memory_load"] * 4, "memory_save", "message_ack", "health_get"]
    taken.clear()
    await answers(tmp_path, None)
    assert taken == []


async def test_a_span_is_made_only_where_a_caller_sent_one_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[Any] = []
    make_span = OpenTelemetryMiddleware.__call__

    async def noted(self: OpenTelemetryMiddleware, ctx: Any, call_next: Any) -> Any:
        spans.append(ctx.params["_meta"])
        return await make_span(self, ctx, call_next)

    monkeypatch.setattr(OpenTelemetryMiddleware, "__call__", noted)
    monkeypatch.setattr(_shortcut, "is_tracing", lambda: False)
    sent = {"progressToken": 7, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    metas = ({"progressToken": 7}, {"claudecode/toolUseId": "x", "progressToken": "8"}, sent)
    async with raw_client(tmp_path, "2025-11-25") as client:
        for meta in metas:
            call = {"name": "memory_load", "arguments": {"agent": ME}, "_meta": meta}
            assert not (await client.request("tools/call", call))["isError"]

    assert spans == [sent]


async def test_a_save_tells_what_waits_without_asking_the_database_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Client(build_server(Settings.read({}, project_dir=tmp_path))) as client:
        await ask(client, "message_send", agent=ME, message_type="note", content="To all.")

        def fail(*_: object) -> None:
            raise AssertionError("counted once more")

        monkeypatch.setattr(SqlMailbox, "unread", fail)
        task = {"task_description": "came late", "outcome": "success"}
        mine = await ask(client, "memory_save", agent=ME, task=task)
        theirs = await ask(client, "memory_save", agent=YOU, task=task)
        new = await ask(client, "memory_save", agent="newcomer", task=task)

    assert mine["unread"] == {"n_unread": 0, "n_urgent": 0, "urgent": [], "flags": []}
    assert theirs["unread"]["n_unread"] == new["unread"]["n_unread"] == 1


def _without_times(answer: Any) -> Any:
    """Leave out what differs from server to server: how long checks took, and when."""
    if isinstance(answer, dict) and "components" in json.dumps(answer):
        return {"keys": sorted(answer), "error": answer["isError"]}
    return answer
