"""Messages of a client over standard input and output.

mcp 2.3 hands each message from task to task, twice on its way in and once on its way out, and
each time the event loop goes round. Here the task that needs a message reads it, and the task that
has an answer writes it; only what its reader has no room for is left to a task of its own.
"""

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeGuard

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PROTOCOL_VERSION_META_KEY,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from ml_orchestrator.tools._stdio import Lines, LinesOut, standard_lines
from ml_orchestrator.tools._unreadable import answering, refusal_of

__all__ = ["Heard", "Said", "standard_messages"]

_TOO_LATE = ErrorData(
    code=INVALID_REQUEST,
    message="This connection began with initialize. Leave out the protocol version in _meta, or "
    "connect anew.",
)


class _Closing(ABC):
    """What is closed at the end of its ``async with``."""

    @abstractmethod
    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        await self.aclose()


class Heard(_Closing):
    """The messages of a client; a line that is none is refused under its own id."""

    def __init__(self, lines: Lines, refuse: Callable[[SessionMessage], Awaitable[None]]) -> None:
        self._lines = aiter(lines)
        self._refuse = refuse
        self._kept: deque[SessionMessage] = deque()
        self._has_shaken_hands = False

    async def shakes_hands(self) -> bool:
        """Whether the client's first request is ``initialize``; what is read for it comes again.

        From then on requests of an era without it are refused, as mcp does.
        """
        with suppress(anyio.EndOfStream):
            while not self._kept or not isinstance(self._kept[-1].message, JSONRPCRequest):
                self._kept.append(await self._next())
            first = self._kept[-1].message
            self._has_shaken_hands = first.method == "initialize"
        return self._has_shaken_hands

    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            anyio.EndOfStream: the client has said all.
        """
        if self._kept:
            return self._kept.popleft()
        heard = await self._next()
        while self._has_shaken_hands and _is_of_later_era(heard.message):
            refusal = JSONRPCError(jsonrpc="2.0", id=heard.message.id, error=_TOO_LATE)
            await self._refuse(SessionMessage(refusal))
            heard = await self._next()
        return heard

    async def _next(self) -> SessionMessage:
        async for line in self._lines:
            try:
                return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValidationError as error:
                if (refusal := refusal_of(error)) is not None:
                    await self._refuse(SessionMessage(refusal))
        raise anyio.EndOfStream

    async def aclose(self) -> None:
        """Read no more; the descriptor is its owner's."""

    def __aiter__(self) -> "Heard":
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream as end:
            raise StopAsyncIteration from end


class Said(_Closing):
    """Answers and messages to a client, each whole and in the order in which they were given.

    ``send`` returns once its message is written. Whoever is cancelled in it cuts no message off:
    what could not be written at once belongs to ``write_rest``.
    """

    def __init__(self, out: LinesOut) -> None:
        self._out = out
        self._is_closed = False
        self._left, self._emptied = anyio.Event(), anyio.Event()

    async def send(self, item: SessionMessage, /) -> None:
        """Write a message.

        Raises:
            anyio.ClosedResourceError: nothing more is taken.
        """
        if self._is_closed:
            raise anyio.ClosedResourceError
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        if not self._out.write_at_once(text + "\n"):
            self._left.set()
            await self._emptied.wait()

    async def write_rest(self) -> None:
        """Write what its reader had no room for, until nothing more is taken and all is written.

        Raises:
            OSError: the reader is gone.
        """
        while not self._is_closed:
            await self._left.wait()
            self._left = anyio.Event()
            await self._out.flush()
            self._emptied.set()
            self._emptied = anyio.Event()

    async def aclose(self) -> None:
        """Take nothing more."""
        self._is_closed = True
        self._left.set()


def _is_of_later_era(message: JSONRPCMessage) -> TypeGuard[JSONRPCRequest]:
    """Whether a request says its version by itself, as those do that need no ``initialize``."""
    if not isinstance(message, JSONRPCRequest) or message.method == "initialize":
        return False
    meta = (message.params or {}).get("_meta")
    return isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta


@asynccontextmanager
async def standard_messages() -> AsyncIterator[tuple[Any, Any]]:
    """Give the messages that come by standard input, and the way to answer by standard output."""
    if sys.platform == "win32":  # there a pipe cannot be waited for
        async with stdio_server() as (heard, said), answering(heard, said) as messages:
            yield messages, said
        return
    with standard_lines() as (lines, out):
        async with anyio.create_task_group() as tasks:
            to_client = Said(out)
            tasks.start_soon(to_client.write_rest)
            yield Heard(lines, to_client.send), to_client
