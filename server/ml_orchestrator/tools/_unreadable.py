"""Lines of a client that are no message: refused where somebody waits, not passed over.

mcp 2.3 drops what it cannot read, so whoever sent it would wait for ever.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

__all__ = ["answering", "id_in", "refusal_of"]

_log = logging.getLogger(__name__)
Heard: TypeAlias = SessionMessage | Exception
Id: TypeAlias = str | int | None

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|[\[\]{}]', re.DOTALL)  # a text may be cut off
_ID = re.compile(r'\s*:\s*("(?:[^"\\]|\\.)*"|-?\d{1,18})\s*[,}]')
_HINT = (
    "Nothing was done. Nest values less deeply, write whole characters and numbers of usual size; "
    "put large data in a file and pass its path."
)


class _Said(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...


@asynccontextmanager
async def answering(
    heard: AsyncIterator[Heard], said: _Said
) -> AsyncIterator[MemoryObjectReceiveStream[Heard]]:
    """Give the messages of a client; a line that is none is refused under its own id."""
    give, given = anyio.create_memory_object_stream[Heard](0)

    async def relay() -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the server ends
            async with give:
                await _sort(heard, give, said)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(relay)
        yield given
        tasks.cancel_scope.cancel()


async def _sort(
    heard: AsyncIterator[Heard], give: MemoryObjectSendStream[Heard], said: _Said
) -> None:
    async for item in heard:
        if not isinstance(item, Exception):
            await give.send(item)
        elif (refusal := refusal_of(item)) is not None:
            await said.send(SessionMessage(refusal))


def refusal_of(error: Exception) -> JSONRPCError | None:
    """Return what to answer to a line that could not be read; None if nobody waits for it."""
    if not isinstance(error, ValidationError):
        return None
    faults = error.errors(include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        id_, code, reason = id_in(faults[0]["input"]), PARSE_ERROR, faults[0]["msg"]
    else:
        whole = (fault["input"] for fault in faults if isinstance(fault["input"], Mapping))
        id_, code, reason = _id_of(next(whole, {})), INVALID_REQUEST, "This is no JSON-RPC message"
    _log.warning("A line of the client was not understood: %s", reason)
    if id_ is None:
        return None
    return JSONRPCError(
        jsonrpc="2.0", id=id_, error=ErrorData(code=code, message=f"{reason}. {_HINT}")
    )


def id_in(line: str) -> Id:
    """Return the id of a message that is too deep or too odd to be parsed; None without one.

    >>> id_in('{"params": {"id": 1, "deep": ' + "[" * 9_000 + "]" * 9_000 + '}, "id": 2}')
    2
    """
    depth = 0
    for token in _TOKEN.finditer(line):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif depth == 1 and token[0] == '"id"' and (found := _ID.match(line, token.end())):
            return _id_of({"id": json.loads(found[1])})
    return None


def _id_of(message: Mapping[str, Any]) -> Id:
    id_ = message.get("id")
    if isinstance(id_, str) and any("\ud800" <= character <= "\udfff" for character in id_):
        return None  # half a character cannot be said back
    return id_ if isinstance(id_, str | int) and not isinstance(id_, bool) else None
