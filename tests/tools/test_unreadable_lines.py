"""Lines that are no message, over real standard input and output: refused, never passed over."""

import doctest
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.tools.test_stdio import LIMIT_S, server

from ml_orchestrator.tools import _unreadable

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}
BOTH_ERAS = pytest.mark.parametrize("is_modern", [True, False], ids=["2026-07-28", "2025-11-25"])


class Wire:
    """A client that writes whatever it likes."""

    def __init__(self, heard: ByteReceiveStream, said: ByteSendStream, *, is_modern: bool) -> None:
        self._heard = BufferedByteReceiveStream(heard)
        self._said = said
        self._meta = {"_meta": META} if is_modern else {}

    async def say(self, line: str) -> dict[str, Any]:
        """Write a line and return the next one that comes back."""
        await self.tell(line)
        answer: dict[str, Any] = json.loads(await self._heard.receive_until(b"\n", 1_000_000))
        return answer

    async def tell(self, line: str) -> None:
        """Write a line."""
        await self._said.send(line.encode() + b"\n")

    def call(self, id_: object, metadata: str) -> str:
        """Return the line that sends a message with this JSON in its metadata."""
        arguments = {"agent": "ml-orchestrator", "content": "x", "metadata": {"it": "@"}}
        params = {"name": "message_send", "arguments": arguments, **self._meta}
        call = {"jsonrpc": "2.0", "method": "tools/call", "params": params, "id": id_}
        return json.dumps(call).replace('"@"', metadata)


@asynccontextmanager
async def wire(folder: Path, *, is_modern: bool) -> AsyncIterator[Wire]:
    started = server(folder)
    command = [started.command, *started.args]
    async with await anyio.open_process(
        command, cwd=started.cwd, env=started.env, stderr=None
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client = Wire(process.stdout, process.stdin, is_modern=is_modern)
        with anyio.fail_after(LIMIT_S):
            if not is_modern:
                hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
                await client.say(json.dumps(hello))
                await client.tell('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
            yield client
            await process.stdin.aclose()
            assert await process.wait() == 0


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@BOTH_ERAS
async def test_a_line_that_cannot_be_read_is_refused_under_its_id_and_the_next_one_is_served(
    tmp_path: Path, is_modern: bool
) -> None:
    async with wire(tmp_path, is_modern=is_modern) as client:
        answers = [
            await client.say(client.call(1, nested(230))),
            await client.say(client.call("two", nested(100_000))),
            await client.say(client.call(3, r'"\ud800"')),
            await client.say(client.call(4, "9" * 5_000)),
            await client.say('{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": [1]}'),
        ]
        half = r'{"jsonrpc": "2.0", "id": "\ud800", "method": "ping"}'
        cut_off = '{"a": "' + r"\"" * 500_000
        for nobodys in (
            "",
            "{",
            "[1]",
            '{"jsonrpc": "2.0", "method": 7}',
            nested(9_000),
            half,
            cut_off,
        ):
            await client.tell(nobodys)
        served = await client.say(client.call(6, nested(40)))

    assert [(a["id"], a["error"]["code"]) for a in answers] == [
        (1, PARSE_ERROR),
        ("two", PARSE_ERROR),
        (3, PARSE_ERROR),
        (4, PARSE_ERROR),
        (5, INVALID_REQUEST),
    ]
    assert all("Nothing was done." in a["error"]["message"] for a in answers)
    assert (served["id"], served["result"]["isError"]) == (6, False)


@BOTH_ERAS
async def test_arguments_that_json_could_not_give_back_are_refused_by_the_tool(
    tmp_path: Path, is_modern: bool
) -> None:
    complaints = {
        nested(150): "more than 50 levels deep",
        "NaN": "not finite",
        "-Infinity": "not finite",
        "1e400": "not finite",
    }
    async with wire(tmp_path, is_modern=is_modern) as client:
        answers = {m: await client.say(client.call(1, m)) for m in complaints}

    for metadata, complaint in complaints.items():
        result = answers[metadata]["result"]
        assert result["isError"]
        assert "Argument 'metadata' of message_send" in result["content"][0]["text"]
        assert complaint in result["content"][0]["text"]


def test_the_examples_hold() -> None:
    assert doctest.testmod(_unreadable).failed == 0
