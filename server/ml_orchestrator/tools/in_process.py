"""Calling the tools of a server in this process, as a client of its own does."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp.client import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ImageContent, Implementation, TextContent, Tool

from ml_orchestrator import __version__
from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.services import Services

__all__ = ["Answer", "Caller", "OnProgress", "ToolCard", "calling"]

OnProgress: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Is told how far a call is, in percent, and what it is doing."""


@dataclass(frozen=True, slots=True)
class ToolCard:
    """What a client sees of a tool: ``schema`` is the JSON Schema of its arguments."""

    name: str
    title: str
    manual: str
    schema: dict[str, Any]
    reads_only: bool
    destroys: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers: ``fields`` is its record, ``pictures`` are PNG files."""

    text: str
    fields: dict[str, Any] | None
    pictures: tuple[bytes, ...]
    is_error: bool


class Caller:
    """A client of a server in this process; it cannot put questions to a person."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> Catalog[ToolCard]:
        """Return the tools that the server offers in its mode."""
        offered: Catalog[ToolCard] = Catalog("tool")
        for tool in (await self._client.list_tools()).tools:
            offered.register(tool.name)(_card(tool))
        return offered

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress) -> Answer:
        """Return what the tool answers, or why it refuses, in its own words.

        Raises:
            UnavailableError: the server itself does not answer the call.
        """

        async def report(progress: float, total: float | None, message: str | None) -> None:
            await on_progress(100 * progress / (total or 100), message or "")

        try:
            result = await self._client.call_tool(tool, arguments, progress_callback=report)
        except MCPError as error:
            raise UnavailableError(f"{tool} was not answered: {error.error.message}") from error
        return _answer(result)


@asynccontextmanager
async def calling(server: MCPServer[Services]) -> AsyncIterator[Caller]:
    """Start ``server`` in this process for the block, and give what calls its tools."""
    ours = Implementation(name="ml-orchestrator call", version=__version__)
    async with Client(server, client_info=ours) as client:
        yield Caller(client)


def _card(tool: Tool) -> ToolCard:
    hints = tool.annotations
    return ToolCard(
        name=tool.name,
        title=tool.title or tool.name,
        manual=tool.description or "",
        schema=tool.input_schema,
        reads_only=hints is not None and bool(hints.read_only_hint),
        destroys=hints is not None and bool(hints.destructive_hint),
    )


def _answer(result: CallToolResult) -> Answer:
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    pictures = [part.data for part in result.content if isinstance(part, ImageContent)]
    return Answer(
        text="\n".join(texts),
        fields=result.structured_content,
        pictures=tuple(base64.b64decode(data) for data in pictures),
        is_error=bool(result.is_error),
    )
