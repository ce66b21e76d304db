"""Results that people would rather look at: numbers with a picture beside them."""

import base64

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel

__all__ = ["with_pictures"]


def with_pictures(result: BaseModel, *pngs: bytes) -> CallToolResult:
    """Return ``result`` as structured content, followed by PNG pictures."""
    pictures = [
        ImageContent(type="image", data=base64.b64encode(png).decode(), mime_type="image/png")
        for png in pngs
    ]
    return CallToolResult(
        content=[TextContent(type="text", text=result.model_dump_json()), *pictures],
        structured_content=result.model_dump(mode="json"),
    )
