"""How long requests take and how they end: for ``/metrics``, and for OpenTelemetry."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from anyio.to_thread import run_sync
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.telemetry.measures import CALL_BOUNDS_S, count_calls
from ml_orchestrator.telemetry.page import CALLS, QUEUE, STRANGER
from ml_orchestrator.telemetry.prometheus import CONTENT_TYPE, Histogram, head, sample
from ml_orchestrator.tools._tool import HIDDEN_TOOLS, TOOLS

__all__ = ["CallMeter", "Depths", "Lines", "add_metrics"]

Depths = Callable[[], Mapping[tuple[str, str], int]]
Lines = Callable[[], list[str]]

# A caller may write any name; these are counted as they are, all others as one.
METHODS = frozenset(
    {
        "initialize", "ping", "server/discover", "completion/complete", "logging/setLevel",
        "tools/call", "tools/list", "prompts/get", "prompts/list", "resources/list",
        "resources/read", "resources/subscribe", "resources/templates/list",
        "resources/unsubscribe", "subscriptions/listen", "notifications/cancelled",
        "notifications/initialized", "notifications/progress",
    }
)  # fmt: skip
OTHER = "_OTHER"


class CallMeter:
    """Counts the requests of one server. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations = Histogram(CALL_BOUNDS_S)

    async def timed(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Count a request, however it ends (a middleware)."""
        began_at, error = time.perf_counter(), ""
        try:
            result = await call_next(ctx)
            error = _tool_error(ctx.method, result)
            return result
        except MCPError as refused:
            error = str(refused.error.code)
            raise
        except BaseException as fault:
            error = type(fault).__qualname__
            raise
        finally:
            self._count(time.perf_counter() - began_at, _attributes(ctx, error))

    def lines(self) -> list[str]:
        """Return what was counted in Prometheus' format."""
        with self._lock:
            return list(
                self._durations.lines(
                    CALLS,
                    "From an MCP request received to its result, by method, tool and error.",
                )
            )

    def _count(self, took_s: float, attributes: Mapping[str, str]) -> None:
        count_calls(took_s, attributes)
        labels = tuple((name.replace(".", "_"), value) for name, value in attributes.items())
        with self._lock:
            self._durations.observe(took_s, labels)


def _attributes(ctx: ServerRequestContext[Any, Any], error: str) -> dict[str, str]:
    """Return the attributes of the semantic conventions for MCP."""
    method = ctx.method if ctx.method in METHODS else OTHER
    found = {"mcp.method.name": method}
    if method == "tools/call":
        name = (ctx.params or {}).get("name")
        is_known = isinstance(name, str) and (name in TOOLS or name in HIDDEN_TOOLS)
        found["gen_ai.operation.name"] = "execute_tool"
        found["gen_ai.tool.name"] = str(name) if is_known else OTHER
    return {**found, "error.type": error} if error else found


def _tool_error(method: str, result: HandlerResult) -> str:
    if method != "tools/call":
        return ""
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            return "tool_error"
        case _:
            return ""


def add_metrics(
    server: MCPServer[Any],
    calls: CallMeter,
    depths: Depths,
    events: Lines,
    *,
    hosts: frozenset[str],
) -> None:
    """Answer ``GET /metrics`` of the HTTP transport, for scrapers that name one of ``hosts``."""

    async def metrics(request: Request) -> Response:
        if request.url.hostname not in hosts:  # a page in a browser, after DNS rebinding
            return PlainTextResponse(STRANGER, 403)
        of_events = await run_sync(_lines, events)
        lines = [*calls.lines(), *await run_sync(_queue_lines, depths), *of_events, ""]
        return Response("\n".join(lines), media_type=CONTENT_TYPE)

    server.custom_route("/metrics", methods=["GET"], include_in_schema=False)(metrics)


def _lines(events: Lines) -> list[str]:
    try:
        return events()
    except OrchestratorError:  # no number is shown rather than a wrong one
        return []


def _queue_lines(depths: Depths) -> list[str]:
    try:
        found = depths()
    except OrchestratorError:  # no number is shown rather than a wrong one; health says why
        return []
    return [
        *head(QUEUE, "gauge", "Runs that wait or go on, by queue."),
        *(
            sample(QUEUE, {"queue": queue, "state": state}, n_runs)
            for (queue, state), n_runs in found.items()
        ),
    ]
