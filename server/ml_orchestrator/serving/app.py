"""The HTTP application of a model server: MLflow's protocol, health, metrics, operator."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass as checked
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from ml_orchestrator import __version__
from ml_orchestrator.serving.admin import admin_routes
from ml_orchestrator.serving.control import ServingState
from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.guard import Access, Guard
from ml_orchestrator.serving.metrics import Metrics
from ml_orchestrator.serving.refusals import refusal
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.telemetry.prometheus import CONTENT_TYPE

__all__ = ["Leaving", "Limits", "build_app"]

JSON = "application/json"
RETRY_AFTER_S = 1
MAX_DISCARDED_BYTES = 50_000_000


@checked(frozen=True)
class Limits:
    """What one request and all together may ask for."""

    max_body_bytes: Annotated[int, Field(ge=1_000)] = 5_000_000
    max_in_flight: Annotated[int, Field(ge=1)] = 256
    timeout_s: Annotated[float, Field(gt=0)] = 60.0


@dataclass(slots=True)
class Leaving:
    """Whether the server has been told to go: set once, seen by every answer."""

    is_set: bool = False


def build_app(
    slots: ModelSlots,
    *,
    metrics: Metrics,
    access: Access,
    limits: Limits,
    leaving: Leaving,
    look: Callable[[], ServingState] | None = None,
) -> Starlette:
    """Put the application together; it closes ``slots`` when it ends.

    Args:
        slots: What answers.
        metrics: Shown under ``/metrics``; the slots' answers are counted elsewhere.
        access: Who may speak to it.
        limits: Body, concurrency and time.
        leaving: Set when the server shuts down.
        look: Follows the alias at once; None if the server does not follow one.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(slots.close)

    front = _Front(slots, metrics, limits, leaving)
    return Starlette(
        routes=[
            Route("/invocations", front.invocations, methods=["POST"]),
            Route("/ping", front.ready),
            Route("/health", front.ready),
            Route("/live", front.live),
            Route("/version", front.version),
            Route("/metrics", front.metrics),
            admin_routes(slots, look),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )


class _Front:
    def __init__(
        self, slots: ModelSlots, metrics: Metrics, limits: Limits, leaving: Leaving
    ) -> None:
        self._slots = slots
        self._metrics = metrics
        self._limits = limits
        self._leaving = leaving
        self._n_in_flight = 0

    async def invocations(self, request: HttpRequest) -> Response:
        """Answer one prediction request."""
        if self._n_in_flight >= self._limits.max_in_flight:
            return self._refused(429, "Too many requests at once; try again.")
        self._n_in_flight += 1
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                body = await self._body(request)
                if body is None:
                    most = self._limits.max_body_bytes
                    return self._refused(413, f"The body is larger than {most} bytes.")
                content_type = request.headers.get("content-type", "")
                return self._response(await self._answer(Request(content_type, body)))
        except TimeoutError:
            return self._refused(504, f"There was no answer in {self._limits.timeout_s:g} s.")
        except ClientDisconnect:
            return self._refused(400, "The client left in the middle of its request.")
        finally:
            self._n_in_flight -= 1

    async def _answer(self, request: Request) -> Outcome:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if not answered.done():  # it is, when the time was up or the client left
                answered.set_result(outcome)

        def done(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(settle, outcome)

        self._slots.submit(request, done)
        return await answered

    async def _body(self, request: HttpRequest) -> bytes | None:
        """Return the body, or None if it is too large.

        A client that is still sending would not read our answer, so the rest is read and
        thrown away, within reason.
        """
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self._limits.max_body_bytes:
                parts.append(part)
            elif size > MAX_DISCARDED_BYTES:
                return None
        return b"".join(parts) if size <= self._limits.max_body_bytes else None

    async def ready(self, _: HttpRequest) -> Response:
        """Say whether requests should be sent here."""
        fault = "The server is shutting down." if self._leaving.is_set else self._slots.fault()
        if fault is not None:
            return self._response(refusal(503, fault))
        return Response("\n", media_type=JSON)

    async def live(self, _: HttpRequest) -> Response:
        """Say that the process is there, whether or not it has a model."""
        return Response("\n", media_type=JSON)

    async def version(self, _: HttpRequest) -> Response:
        """Say which model and versions are loaded."""
        state = self._slots.state()
        content = {"server": __version__, **state.model_dump(mode="json")}
        return Response(json.dumps(content), media_type=JSON)

    async def metrics(self, _: HttpRequest) -> Response:
        """Show the counters."""
        return Response(self._metrics.exposition(self._slots), media_type=CONTENT_TYPE)

    def _refused(self, status: int, message: str) -> Response:
        self._metrics.refuse(status)
        return self._response(refusal(status, message))

    def _response(self, outcome: Outcome) -> Response:
        headers = {}
        if outcome.status in (429, 503):
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if self._leaving.is_set or outcome.status == 413:
            headers["Connection"] = "close"
        return Response(outcome.body, outcome.status, headers, media_type=JSON)


async def _http_error(request: HttpRequest, error: Exception) -> Response:
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    status, allowed = known.status_code, (known.headers or {}).get("Allow")
    use = f": {request.url.path} takes {allowed}; use that" if allowed else ""
    content = {"error_code": "ENDPOINT_NOT_FOUND", "message": f"HTTP {status}{use}."}
    headers = {"Allow": allowed} if allowed else None
    return Response(json.dumps(content), status, headers, media_type=JSON)
