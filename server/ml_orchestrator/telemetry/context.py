"""Taking a trace from one process to the next, as W3C trace context."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["carried", "carrier"]

_w3c = TraceContextTextMapPropagator()


def carrier() -> dict[str, str]:
    """Return ``traceparent`` of the current span, to be handed on; nothing outside of one."""
    fields: dict[str, str] = {}
    _w3c.inject(fields)
    return fields


@contextmanager
def carried(fields: Mapping[str, str]) -> Iterator[None]:
    """Let spans made in the block belong to the trace that ``carrier`` was called in."""
    token = context.attach(_w3c.extract(dict(fields)))
    try:
        yield
    finally:
        context.detach(token)
