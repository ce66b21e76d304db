"""Tools of the conformance fixture that give content: fixed names, fixed answers.

Filed with the project's own decorator through the ``plugins`` setting, as third parties do, so
the suite judges our argument checks, error texts and schemas, and not only the SDK's.
"""

import base64
import struct
import warnings
import zlib
from typing import Annotated

import anyio
from mcp import MCPDeprecationWarning
from mcp.server.mcpserver import Context
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.services import Services
from ml_orchestrator.tools._tool import tool

__all__ = ["PNG", "png_image"]

PAUSE_S = 0.05


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))  # one pixel, 8-bit RGB
    + _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    + _chunk(b"IEND", b"")
)
_SAMPLES = bytes(8)
WAV = (
    b"RIFF" + struct.pack("<I", 36 + len(_SAMPLES)) + b"WAVE"
    + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 8_000, 1, 8)  # mono, 8 kHz, 8 bit
    + b"data" + struct.pack("<I", len(_SAMPLES)) + _SAMPLES
)  # fmt: skip


def png_image() -> ImageContent:
    """Return a picture of one red pixel."""
    return ImageContent(data=base64.b64encode(PNG).decode(), mime_type="image/png")


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


@tool(title="Text", reads_only=True)
async def test_simple_text() -> str:
    """Return a line of text."""
    return "This is a simple text response for testing."


@tool(title="Picture", reads_only=True)
async def test_image_content() -> list[ImageContent]:
    """Return a picture."""
    return [png_image()]


@tool(title="Sound", reads_only=True)
async def test_audio_content() -> list[AudioContent]:
    """Return a sound."""
    return [AudioContent(data=base64.b64encode(WAV).decode(), mime_type="audio/wav")]


@tool(title="Resource", reads_only=True)
async def test_embedded_resource() -> list[EmbeddedResource]:
    """Return a resource inside the answer."""
    text = "This is an embedded resource content."
    return [_resource("test://embedded-resource", "text/plain", text)]


@tool(title="Mixed", reads_only=True)
async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Return text, a picture and a resource together."""
    text = '{"test":"data","value":123}'
    return [
        TextContent(text="Multiple content types test:"),
        png_image(),
        _resource("test://mixed-content-resource", "application/json", text),
    ]


@tool(title="Failure", reads_only=True)
async def test_error_handling() -> str:
    """Fail as one of our own errors."""
    raise InvalidInputError("This tool intentionally returns an error for testing")


@tool(title="Progress", reads_only=True)
async def test_tool_with_progress(ctx: Context[Services]) -> str:
    """Report the beginning, the middle and the end."""
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
        await anyio.sleep(PAUSE_S)
    return "Progress was reported."


@tool(title="Log", reads_only=True)
async def test_tool_with_logging(ctx: Context[Services]) -> str:
    """Send three lines of log to the client."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await log(ctx, line)
        await anyio.sleep(PAUSE_S)
    return "Three lines were sent."


@tool(title="Log once", reads_only=True)
async def test_logging_tool(ctx: Context[Services]) -> str:
    """Send one line of log to the client, if it asked for any."""
    await log(ctx, "One line")
    return "One line was sent."


@tool(title="Header", reads_only=True)
async def test_header_parameter(
    region: Annotated[
        str,
        Field(description="Also sent as a header.", json_schema_extra={"x-mcp-header": "Region"}),
    ],
) -> str:
    """Return an argument that clients mirror into a header."""
    return region


@tool(title="Change the tools", reads_only=True)
async def test_trigger_tool_change(ctx: Context[Services]) -> str:
    """Tell subscribers that the tools changed."""
    await ctx.notify_tools_changed()
    return "Subscribers were told."


@tool(title="Change the prompts", reads_only=True)
async def test_trigger_prompt_change(ctx: Context[Services]) -> str:
    """Tell subscribers that the prompts changed."""
    await ctx.notify_prompts_changed()
    return "Subscribers were told."


async def log(ctx: Context[Services], line: str) -> None:
    """Send a line by the protocol's own log, which is deprecated and still in the suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        await ctx.info(line)
