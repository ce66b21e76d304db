"""Spans of our own: services and steps. Requests have theirs from ``mcp``, runs from ``dbos``.

No span holds an argument, a result or the text of an error: those are the project's data.
"""

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opentelemetry.trace import (
    INVALID_SPAN,
    ProxyTracerProvider,
    Span,
    StatusCode,
    get_tracer,
    get_tracer_provider,
)

from ml_orchestrator import __version__

__all__ = ["is_tracing", "span", "traced"]

S = TypeVar("S")
_tracer = get_tracer("ml-orchestrator", __version__)


def is_tracing() -> bool:
    """Whether spans go anywhere; a span that does not costs more than this question."""
    return not isinstance(get_tracer_provider(), ProxyTracerProvider)


@contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[Span]:
    """Open a span around the block; an error that leaves it is noted by its type.

    Args:
        name: Says what is done, from a small set.
        attributes: Told under ``ml_orchestrator.`` and their name.
    """
    if not is_tracing():
        yield INVALID_SPAN
        return
    told = {f"ml_orchestrator.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name, attributes=told, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__qualname__)
            opened.set_status(StatusCode.ERROR)
            raise


def traced(service: type[S]) -> type[S]:
    """Give each public coroutine method of a class a span ``Class.method``."""
    for name, method in list(vars(service).items()):
        if not name.startswith("_") and inspect.iscoroutinefunction(method):
            setattr(service, name, _in_span(method))
    return service


def _in_span(method: Any) -> Any:
    name = method.__qualname__
    where = {"code.function.name": f"{method.__module__}.{name}"}

    @functools.wraps(method)
    async def in_span(*args: Any, **kwargs: Any) -> Any:
        if not is_tracing():
            return await method(*args, **kwargs)
        with span(name) as opened:
            opened.set_attributes(where)
            return await method(*args, **kwargs)

    return in_span
