"""Serve the fixtures of the official conformance suite from a server of our own factory.

Run as ``python -m tests.clients.conformance_server HOME PORT`` in the repository root.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    EmbeddedResource,
    EmptyResult,
    InputRequiredResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from tests.clients.conformance_content import PNG, png_image
from tests.clients.conformance_questions import answer_of, ask

from ml_orchestrator.app import build_server
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings

FIXTURES = ("tests.clients.conformance_content", "tests.clients.conformance_questions")


def build_fixture_server(home: Path) -> MCPServer[Services]:
    """Return a server of the app factory that offers what the suite asks for by name."""
    server = build_server(Settings.read({}, home=home, project_dir=home.parent, plugins=FIXTURES))
    _add_resources(server)
    _add_prompts(server)
    _add_older_methods(server)
    return server


def _add_resources(server: MCPServer[Services]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """Return a fixed text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """Return a fixed picture."""
        return PNG

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """Return a text that can be subscribed to."""
        return "Watched."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """Return the id it is asked for."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _add_prompts(server: MCPServer[Services]) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """Return a fixed prompt."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Return a prompt that repeats its arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
        """Return a prompt with a resource inside."""
        text = "Embedded resource content for testing."
        resource = TextResourceContents(uri=resourceUri, mime_type="text/plain", text=text)
        return [
            UserMessage(EmbeddedResource(resource=resource)),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """Return a prompt with a picture inside."""
        return [UserMessage(png_image()), UserMessage("Please analyze the image above.")]

    @server.prompt()
    async def test_input_required_result_prompt(
        ctx: Context[Services],
    ) -> list[UserMessage] | InputRequiredResult:
        """Ask for a context before the prompt is made."""
        context = answer_of(ctx, "user_context", "context")
        if context is None:
            question = ask("What context should the prompt use?", "context")
            return InputRequiredResult(input_requests={"user_context": question})
        return [UserMessage(TextContent(text=f"Context: {context}"))]


def _add_older_methods(server: MCPServer[Services]) -> None:
    """Answer three requests of 2025-11-25 for which MCPServer 2.3 has no door of its own."""

    async def acknowledge(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    low = server._lowlevel_server
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, acknowledge)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, acknowledge)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, acknowledge)


def main(home: str, port: str) -> None:
    """Serve on loopback until killed."""
    build_fixture_server(Path(home)).run("streamable-http", host="127.0.0.1", port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
