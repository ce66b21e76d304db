"""Calling a tool and reading what it answers or why it refuses; reading a resource."""

import json
from typing import Any

from mcp.client import Client
from mcp.types import TextContent, TextResourceContents

__all__ = ["ask", "read", "refusal"]


async def ask(client: Client, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """Return what the tool answers."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content: dict[str, Any] | None = result.structured_content
    assert content is not None
    return content


async def read(client: Client, address: str) -> dict[str, Any]:
    """Return the JSON content of a resource."""
    (part,) = (await client.read_resource(address)).contents
    assert isinstance(part, TextResourceContents)
    content: dict[str, Any] = json.loads(part.text)
    return content


async def refusal(client: Client, tool: str, /, **arguments: Any) -> str:
    """Return why the tool refuses, in words that it chose."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    first = result.content[0]
    assert isinstance(first, TextContent)
    assert not first.text.startswith("Error executing tool")
    return first.text
