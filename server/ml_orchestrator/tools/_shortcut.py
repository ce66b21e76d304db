"""A shorter way for requests that need no more: calls of tools that ask nobody, untraced.

mcp 2.3 checks a call by two models before its handler, and the answer by two after it. Our tools
check arguments and make results of a declared form, so such calls go to the same handler at once.
What is anything else than the usual takes mcp's way, and is refused or answered there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import CallToolRequestParams, CallToolResult, ContentBlock, TextContent
from opentelemetry.propagate import get_global_textmap

from ml_orchestrator.telemetry.spans import is_tracing

__all__ = ["calls_at_once", "spans_if_traced"]

# Those that begin with initialize; from 2026-07-28 on answers say more, which is left to mcp.
_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
_PARAMS = frozenset({"name", "arguments", "_meta"})
_TRACE = frozenset(get_global_textmap().fields)  # keys that tell of a caller's span
Call = Callable[[ServerRequestContext[Any, Any], CallToolRequestParams], Awaitable[HandlerResult]]


def calls_at_once(call: Call, is_simple: Callable[[str], bool]) -> ServerMiddleware[Any]:
    """Return the middleware, to be the innermost, that has usual calls done by ``call``.

    Args:
        call: Answers ``tools/call``.
        is_simple: Whether a tool is known, asks nobody, and its result is a ``CallToolResult``.
    """

    async def call_at_once(
        ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        params = _usual(ctx)
        if params is None or not is_simple(params.name):
            return await call_next(ctx)
        result = await call(ctx, params)
        return _answer(result) if isinstance(result, CallToolResult) else result

    return call_at_once


def spans_if_traced(spans: ServerMiddleware[Any]) -> ServerMiddleware[Any]:
    """Return a middleware that makes spans if they go anywhere, or a caller sent one along."""

    async def span_if_traced(
        ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        if is_tracing() or (ctx.meta and not _TRACE.isdisjoint(ctx.meta)):
            return await spans(ctx, call_next)
        return await call_next(ctx)

    return span_if_traced


def _usual(ctx: ServerRequestContext[Any, Any]) -> CallToolRequestParams | None:
    """Return the parameters of a call that any version would take as it is; else None."""
    params = ctx.params
    if ctx.method != "tools/call" or params is None or ctx.protocol_version not in _VERSIONS:
        return None
    if not params.keys() <= _PARAMS or ("_meta" in params and ctx.meta is None):
        return None
    if not isinstance(params.get("arguments"), dict):
        return None
    if ctx.session.client_params is None:  # nobody has said hello
        return None
    return CallToolRequestParams.model_validate(params, by_name=False)


def _answer(result: CallToolResult) -> dict[str, Any]:
    """Return a result as these versions write it."""
    answer: dict[str, Any] = {
        "content": [_block(block) for block in result.content],
        "isError": result.is_error,
    }
    if result.structured_content is not None:
        answer["structuredContent"] = result.structured_content
    if result.meta is not None:
        answer["_meta"] = result.meta
    return answer


def _block(block: ContentBlock) -> dict[str, Any]:
    if type(block) is TextContent and block.annotations is None and block.meta is None:
        return {"type": "text", "text": block.text}
    return block.model_dump(by_alias=True, mode="json", exclude_none=True)
