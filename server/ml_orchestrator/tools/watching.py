"""Telling clients that a resource has changed, whichever process changed it.

A client of 2026-07-28 listens (``subscriptions/listen``); one of an earlier era subscribes
(``resources/subscribe``). For both, what was asked for is read and compared when an event says that
it may have changed, and every half minute besides, for what expires and what older releases write.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.orchestration.events.definition import Envelope, Event
from ml_orchestrator.orchestration.events.kinds import (
    AliasMoved,
    LeaseChanged,
    LetterBuried,
    MemoryChanged,
    MessagesAcknowledged,
    MessageSent,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
)
from ml_orchestrator.services import Services

if TYPE_CHECKING:  # opened by its door
    from ml_orchestrator.orchestration.events.taps import Tap
    from ml_orchestrator.orchestration.events.thread import BusThread

__all__ = ["ResourceWatch"]

LOOK_S = 30.0
RETRY_S = 1.0
MAX_SUBSCRIBERS = 1_000
MAX_ADDRESSES = 100  # of one client
_log = logging.getLogger(__name__)
Read = Callable[[str], Awaitable[str]]

# Which addresses may look different after an event, by their scheme.
_SCHEMES: Mapping[type[Event], frozenset[str]] = {
    MessageSent: frozenset({"inbox", "thread", "memory"}),  # a delegation is remembered
    MessagesAcknowledged: frozenset({"inbox", "thread"}),
    LetterBuried: frozenset({"dead-letter", "inbox"}),
    MemoryChanged: frozenset({"memory"}),
    LeaseChanged: frozenset({"lease"}),
    AliasMoved: frozenset({"registry"}),
    **dict.fromkeys((RunStarted, RunFinished, RunFailed, RunCancelled), frozenset({"run"})),
}


class ResourceWatch:
    """Looks at what clients watch, and tells them of each change once.

    ``read`` gives the content of an address; one that it does not know raises a
    ``LookupError`` and is never told of. ``bus`` opens the event bus of this process.
    """

    def __init__(self, read: Read, bus: "Callable[[], BusThread]") -> None:
        self.bus = InMemorySubscriptionBus()
        self._read = read
        self._open_bus = bus
        self._listened: Counter[str] = Counter()
        self._subscribed: dict[tuple[str, str], ServerSession] = {}
        self._seen: dict[str, str] = {}
        self._is_wanted = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hear_for_ever)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def while_listening(
        self, ctx: ServerRequestContext[Services, Any], call_next: CallNext
    ) -> HandlerResult:
        """Watch what a client listens to, for as long as it does (a middleware)."""
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        asked = ((ctx.params or {}).get("notifications") or {}).get("resourceSubscriptions") or []
        addresses = [str(address) for address in asked][:MAX_ADDRESSES]
        await self._begin(addresses)
        self._listened.update(addresses)
        try:
            return await call_next(ctx)
        finally:
            self._listened.subtract(addresses)
            self._forget(addresses)

    def add_to(self, server: MCPServer[Services]) -> None:
        """Answer the two requests of earlier eras, for which mcp 2.3 has no door of its own."""
        low = server._lowlevel_server
        low.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        low.add_request_handler(
            "resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe
        )

    async def _subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams
    ) -> EmptyResult:
        await self._begin([params.uri])
        self._subscribed[_client_of(ctx), params.uri] = ctx.session
        if len(self._subscribed) > MAX_SUBSCRIBERS:
            self._drop(next(iter(self._subscribed)))
        return EmptyResult()

    async def _unsubscribe(
        self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        self._drop((_client_of(ctx), params.uri))
        return EmptyResult()

    async def _begin(self, addresses: Iterable[str]) -> None:
        """Note how addresses are before the client hears that they are watched."""
        for address in addresses:
            if address not in self._seen:
                stamp = await self._stamp(address)
                self._seen.setdefault(address, stamp)
        self._is_wanted.set()

    async def _hear_for_ever(self) -> None:
        """Hear of changes while clients watch; without a bus, look all the time."""
        while True:
            if not self._seen:
                self._is_wanted = anyio.Event()
            await self._is_wanted.wait()
            try:
                await self._hear(await run_sync(self._open_bus))
            except OrchestratorError as error:
                _log.warning("Changes are not heard of for now: %s", error)
                await anyio.sleep(RETRY_S)
                await self._look_at(self._seen)

    async def _hear(self, thread: "BusThread") -> None:
        """Look at what events concern, until nobody watches.

        Raises:
            UnavailableError: the bus has stopped.
        """
        async with thread.bus.tap(*_SCHEMES, room=1_000) as tap:
            await self._look_at(self._seen)  # at what changed before this hears of it
            while self._seen:
                if not thread.is_running:
                    raise UnavailableError("The event bus has stopped.")
                await self._look_at(await self._touched(tap))

    async def _touched(self, tap: "Tap") -> list[str]:
        """Return the watched addresses that what was heard concerns; all of them after a while."""
        with anyio.move_on_after(LOOK_S):
            schemes = {*_schemes(await tap.receive())}
            while (more := tap.receive_nowait()) is not None:
                schemes |= _schemes(more)
            return [each for each in self._seen if each.partition("://")[0] in schemes]
        return list(self._seen)

    async def _look_at(self, addresses: Iterable[str]) -> None:
        for address in list(addresses):
            stamp = await self._stamp(address)
            if self._seen.get(address, stamp) != stamp:
                self._seen[address] = stamp
                await self._tell(address)

    async def _tell(self, address: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=address))
        for key, session in list(self._subscribed.items()):
            if key[1] == address:
                try:
                    await session.send_resource_updated(address)
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                    self._drop(key)

    async def _stamp(self, address: str) -> str:
        try:
            content = await self._read(address)
        except (OrchestratorError, LookupError) as error:
            content = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 a defect of one address must not end the watch of others
            _log.exception("Could not look at %r", address)
            content = "unreadable"
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def _drop(self, key: tuple[str, str]) -> None:
        self._subscribed.pop(key, None)
        self._forget([key[1]])

    def _forget(self, addresses: Iterable[str]) -> None:
        subscribed = {address for _, address in self._subscribed}
        for address in addresses:
            if not self._listened[address] > 0 and address not in subscribed:
                self._seen.pop(address, None)


def _client_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """Return what tells a client's connection from the others of this server."""
    return str(id(ctx.session._connection))


def _schemes(envelope: Envelope) -> frozenset[str]:
    return _SCHEMES.get(type(envelope.event), frozenset())
