"""A server that makes its tools when they are first asked for.

Schemas of all tools take longer to make than everything else before ``initialize`` is
answered, and that answer does not need them.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from anyio.to_thread import run_sync
from mcp.server import MCPServer
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import ToolManager
from mcp.server.runner import serve_dual_era_loop, serve_loop
from mcp.types import CallToolRequestParams, CallToolResult, InputRequiredResult
from mcp.types import Tool as ListedTool

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.faults import near
from ml_orchestrator.services import Services
from ml_orchestrator.services.handover import AgentSessions
from ml_orchestrator.text.hidden import spell_hidden
from ml_orchestrator.tools._messages import Heard, standard_messages
from ml_orchestrator.tools._metering import CallMeter
from ml_orchestrator.tools._shortcut import calls_at_once, spans_if_traced
from ml_orchestrator.tools._tool import HIDDEN_TOOLS, TOOLS, StrictTool, ToolEntry

__all__ = ["OrchestratorServer"]


class OrchestratorServer(MCPServer[Services]):
    """An ``MCPServer`` whose tools of ours are built on first use, in a worker thread.

    Hidden tools can be called but are not listed; ``agent_sessions`` is what they remember of
    the subagents of this server's clients, ``session_id`` what tells this server from others,
    ``calls`` counts its requests.
    """

    def __init__(self, name: str, *, entries: Iterable[ToolEntry], **options: Any) -> None:
        super().__init__(name, **options)
        self.calls = CallMeter()
        self.middleware[0] = spans_if_traced(self.middleware[0])  # it is mcp's own
        self.middleware.insert(1, self.calls.timed)  # just below the span
        self.middleware.append(calls_at_once(self._call_below, self._is_simple))
        self.agent_sessions = AgentSessions()
        self.session_id = uuid.uuid4().hex[:12]
        self._entries = tuple(entries)
        self._ready = Door(self._add_entries, is_light=True)

    async def list_tools(self) -> list[ListedTool]:
        """List every tool that is not hidden."""
        await self._make_ready()
        return [listed for listed in await super().list_tools() if listed.name not in HIDDEN_TOOLS]

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        context: Context[Services, Any] | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name.

        Raises:
            ToolError: it refuses, there is none, or the mode is read-only and it changes things.
        """
        await self._make_ready()
        if self._tool_manager.get_tool(name) is None:
            raise ToolError(_why_absent(name))
        return await super().call_tool(name, arguments, context)

    async def run_stdio_async(self) -> None:
        """Serve standard input and output; what cannot be read there is refused."""
        below = self._lowlevel_server
        options = below.create_initialization_options()
        async with standard_messages() as (heard, said), below.lifespan(below) as state:
            # The loop for both eras hands each message from one task to another first.
            is_plain = isinstance(heard, Heard) and await heard.shakes_hands()
            serve = serve_loop if is_plain else serve_dual_era_loop
            await serve(below, heard, said, lifespan_state=state, init_options=options)

    def _is_simple(self, name: str) -> bool:
        """Whether a tool is built and asks nobody."""
        found = self._tool_manager.get_tool(name)
        return isinstance(found, StrictTool) and not found.resolved_params

    async def _call_below(
        self, ctx: ServerRequestContext[Services], params: CallToolRequestParams
    ) -> HandlerResult:
        entry = self._lowlevel_server.get_request_handler("tools/call")
        assert entry is not None
        return await entry.handler(ctx, params)

    async def _make_ready(self) -> None:
        if not self._ready.is_open:
            await run_sync(self._ready)

    def _add_entries(self) -> bool:
        # mcp 2.3 takes finished tools in its constructor only, so the manager is replaced.
        built = [entry.build() for entry in (*self._entries, *HIDDEN_TOOLS.values())]
        self._tool_manager = ToolManager(tools=[*self._tool_manager.list_tools(), *built])
        return True


def _why_absent(name: str) -> str:
    """Return why a server has no tool of a name: a read-only one has those alone that read."""
    if name in TOOLS:
        return str(PermissionDeniedError.in_read_only(name))
    shown, _ = spell_hidden(name[:80])
    return f"No tool named {shown!r}{near(shown, TOOLS)}; tools/list names those there are."
