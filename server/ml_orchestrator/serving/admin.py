"""The operator's endpoints: ``ServingControl`` over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from ml_orchestrator.errors import InvalidInputError, OrchestratorError
from ml_orchestrator.records import Record
from ml_orchestrator.serving.control import ServingControl, ServingState, SlotStats, Traffic
from ml_orchestrator.serving.refusals import failure

__all__ = ["STATS", "Expect", "Load", "SetTraffic", "admin_routes"]

MAX_BODY_BYTES = 10_000
MAX_WINDOW_S = 86_400.0
STATS = TypeAdapter(tuple[SlotStats, ...])
R = TypeVar("R", bound=Record)
Generation = Annotated[int, Field(ge=0)]


class Load(Record):
    """Load a version as green."""

    version: Annotated[int, Field(ge=1)]


class Expect(Record):
    """A change, by someone who has seen this generation."""

    expected_generation: Generation


class SetTraffic(Record):
    """Who shall answer from now on."""

    traffic: Traffic
    expected_generation: Generation


Handler = Callable[[Request], Awaitable[Response]]


def admin_routes(control: ServingControl, look: Callable[[], ServingState] | None) -> Mount:
    """Return the endpoints; ``look`` follows the alias at once."""

    async def state(_: Request) -> Response:
        return _json(await asyncio.to_thread(control.state))

    async def load(request: Request) -> Response:
        asked = await _read(request, Load)
        return _json(await asyncio.to_thread(control.load_green, asked.version))

    async def traffic(request: Request) -> Response:
        asked = await _read(request, SetTraffic)
        return _json(
            await asyncio.to_thread(
                control.set_traffic,
                asked.traffic,
                expected_generation=asked.expected_generation,
            )
        )

    async def swap(request: Request) -> Response:
        asked = await _read(request, Expect)
        return _json(
            await asyncio.to_thread(control.swap, expected_generation=asked.expected_generation)
        )

    async def unload(request: Request) -> Response:
        asked = await _read(request, Expect)
        expected = asked.expected_generation
        return _json(await asyncio.to_thread(control.unload_green, expected_generation=expected))

    async def retire(request: Request) -> Response:
        asked = await _read(request, Expect)
        expected = asked.expected_generation
        return _json(await asyncio.to_thread(control.retire, expected_generation=expected))

    async def stats(request: Request) -> Response:
        window_s = _window(request.query_params.get("window_s", "60"))
        found = await asyncio.to_thread(control.stats, window_s=window_s)
        return Response(STATS.dump_json(found), media_type="application/json")

    async def follow(_: Request) -> Response:
        if look is None:
            raise InvalidInputError("This server was started with a version, not with an alias.")
        return _json(await asyncio.to_thread(look))

    changing = [load, traffic, swap, unload, retire, follow]
    routes = [Route(f"/{f.__name__}", _typed(f), methods=["GET"]) for f in (state, stats)]
    routes += [Route(f"/{f.__name__}", _typed(f), methods=["POST"]) for f in changing]
    return Mount("/admin", routes=routes)


def _typed(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OrchestratorError as error:
            outcome = failure(error)
            return Response(outcome.body, outcome.status, media_type="application/json")

    return answer


async def _read(request: Request, kind: type[R]) -> R:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise InvalidInputError(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        )
        raise InvalidInputError(f"The body does not fit ({faults}).") from None


def _window(text: str) -> float:
    try:
        window_s = float(text)
    except ValueError:
        window_s = 0.0
    if not 0 < window_s <= MAX_WINDOW_S:
        raise InvalidInputError(f"window_s must be between 0 and {MAX_WINDOW_S:g}.")
    return window_s


def _json(record: Record) -> Response:
    return Response(record.model_dump_json(), media_type="application/json")
