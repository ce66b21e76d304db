"""Lines over descriptors: whole, in order, and never in the way of others."""

import fcntl
import json
import os
import select
import shlex
import socket
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PROTOCOL_VERSION_META_KEY,
    JSONRPCError,
    JSONRPCNotification,
)

from ml_orchestrator.tools._messages import Heard, Said
from ml_orchestrator.tools._stdio import CHUNK_BYTES, Lines, LinesOut

LIMIT_S = 60.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_lines_come_whole_however_they_were_cut(tmp_path: Path) -> None:
    long = "é" * CHUNK_BYTES
    written = f"one\n{long}\r\n\nlast".encode()
    reading, writing = os.pipe()

    def feed() -> None:
        for place in range(0, len(written), 4_099):  # cuts through characters
            os.write(writing, written[place : place + 4_099])
        os.close(writing)

    writer = threading.Thread(target=feed)
    writer.start()
    found = [line async for line in Lines(reading)]
    writer.join()
    os.close(reading)

    assert found == ["one", f"{long}\r", "", "last"]
    (tmp_path / "file").write_bytes(written)
    with (tmp_path / "file").open("rb") as file:  # which epoll does not take
        assert [line async for line in Lines(file.fileno())] == found


async def test_what_is_no_utf8_is_replaced_and_an_empty_end_is_no_line() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\xff\n")
    os.close(writing)

    assert [line async for line in Lines(reading)] == ["\ufffd"]
    os.close(reading)


async def test_what_nobody_takes_stays_where_it_is() -> None:
    reading, writing = os.pipe()
    lines = Lines(reading)
    first = aiter(lines)
    os.write(writing, b"one\n")
    assert await anext(first) == "one"

    for _ in range(3):
        os.write(writing, b"x" * 1_000 + b"\n")
        for _ in range(5):  # the event loop looks, and finds that nobody has asked
            await anyio.lowlevel.checkpoint()

    assert _n_waiting(reading) == 2 * 1_001  # one piece was read ahead
    assert [len(await anext(first)) for _ in range(3)] == [1_000] * 3
    await first.aclose()  # type: ignore[attr-defined]  # an async generator
    os.write(writing, b"late\n")
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    assert _n_waiting(reading) == len(b"late\n")  # it is watched no more
    os.close(reading)
    os.close(writing)


async def test_a_client_that_shakes_hands_keeps_to_that_era() -> None:
    reading, writing = os.pipe()
    refused: list[JSONRPCError] = []

    async def refuse(message: SessionMessage) -> None:
        assert isinstance(message.message, JSONRPCError)
        refused.append(message.message)

    later = {"_meta": {PROTOCOL_VERSION_META_KEY: "2026-07-28"}}
    said = (
        {"method": "notifications/early"},
        {"method": "initialize", "id": 1, "params": later},
        {"method": "tools/list", "id": 2, "params": later},
        {"method": "tools/list", "id": 3, "params": {"_meta": {}}},
    )
    for message in said:
        os.write(writing, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    os.close(writing)
    heard = Heard(Lines(reading), refuse)

    assert await heard.shakes_hands()
    methods = [message.message.model_dump()["method"] async for message in heard]

    assert methods == ["notifications/early", "initialize", "tools/list"]
    assert [(error.id, error.error.code) for error in refused] == [(2, INVALID_REQUEST)]
    os.close(reading)


async def test_a_client_of_the_later_era_and_one_that_says_nothing_shake_no_hands() -> None:
    async def refuse(_: SessionMessage) -> None:
        raise AssertionError("nothing is refused")

    for line in (b'{"jsonrpc": "2.0", "id": 1, "method": "server/discover"}\n', b""):
        reading, writing = os.pipe()
        os.write(writing, line)
        os.close(writing)
        heard = Heard(Lines(reading), refuse)
        assert not await heard.shakes_hands()
        assert len([message async for message in heard]) == line.count(b"\n")
        os.close(reading)


async def test_others_go_on_while_the_reader_of_a_long_answer_takes_its_time() -> None:
    reading, writing = os.pipe()
    out, text = LinesOut(writing), "x" * 300_000  # more than a pipe holds
    got: list[bytes] = []

    async with anyio.create_task_group() as tasks:

        async def answer() -> None:
            out.take(text)
            await out.flush()
            os.close(writing)

        tasks.start_soon(answer)
        while not select.select([reading], [], [], 0)[0]:
            await anyio.lowlevel.checkpoint()
        for _ in range(10):  # the pipe is full, and this task still gets its turn
            await anyio.lowlevel.checkpoint()
        while part := os.read(reading, 65_536):
            got.append(part)
            await anyio.wait_readable(reading)
    os.close(reading)

    assert b"".join(got).decode() == text


async def test_a_reader_that_is_gone_ends_the_writing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    out = LinesOut(writing)
    out.take("x")

    with pytest.raises(BrokenPipeError):
        await out.flush()
    os.close(writing)


async def test_a_descriptor_that_another_holder_made_non_blocking_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    out, text = LinesOut(writing), "y" * 200_000
    lines: list[str] = []

    async with anyio.create_task_group() as tasks:

        async def answer() -> None:
            out.take(text + "\n")
            await out.flush()
            os.close(writing)

        tasks.start_soon(answer)
        lines += [line async for line in Lines(reading)]
    os.close(reading)

    assert lines == [text]


async def test_a_sender_that_is_cancelled_cuts_no_message_off() -> None:
    reading, writing = os.pipe()
    said, texts = Said(LinesOut(writing)), ["x" * 200_000, "y", "z"]
    got: list[str] = []

    async def send(text: str) -> None:
        message = JSONRPCNotification(jsonrpc="2.0", method=text)
        await said.send(SessionMessage(message))

    async def hear() -> None:
        async for line in Lines(reading):
            got.append(json.loads(line)["method"])
            if len(got) == len(texts):
                await said.aclose()

    async with anyio.create_task_group() as writers:
        writers.start_soon(said.write_rest)
        async with anyio.create_task_group() as senders:
            senders.start_soon(send, texts[0])
            senders.start_soon(send, texts[1])
            await anyio.wait_all_tasks_blocked()  # the pipe is full
            senders.cancel_scope.cancel()
        writers.start_soon(send, texts[2])
        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as hearers:
                hearers.start_soon(hear)
                await anyio.wait_all_tasks_blocked()
                while len(got) < len(texts):
                    await anyio.lowlevel.checkpoint()
                hearers.cancel_scope.cancel()
    os.close(reading)
    os.close(writing)

    assert got == texts
    with pytest.raises(anyio.ClosedResourceError):
        await send("too late")


async def test_a_sender_learns_that_its_reader_is_gone_by_the_end_of_all_writing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    said = Said(LinesOut(writing))
    message = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x"))

    with pytest.RaisesGroup(BrokenPipeError):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(said.write_rest)
            tasks.start_soon(said.send, message)
    os.close(writing)


async def test_a_connection_that_is_reset_has_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()  # sends a reset

    with ours:
        assert [line async for line in Lines(ours.fileno())] == []


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-"])
def test_a_server_that_was_started_without_a_stream_ends_well(closed: str, tmp_path: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m ml_orchestrator mcp {closed}"
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "ML_ORCHESTRATOR_HOME": str(tmp_path)},
        input='{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def _n_waiting(descriptor: int) -> int:
    """Return how many bytes can be read."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
