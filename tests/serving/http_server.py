"""A real HTTP server on slots of this process, and a plain client of it."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.serving.models import ASK

from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.app import Leaving, Limits, build_app
from ml_orchestrator.serving.guard import Access
from ml_orchestrator.serving.metrics import Metrics
from ml_orchestrator.serving.server import bind, make_server
from ml_orchestrator.serving.slots import ModelSlots

LIMIT_S = 30.0
TOKEN = "token-of-this-test"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def http_server(
    slots: ModelSlots, *, limits: Limits | None = None, metrics: Metrics | None = None, **given: Any
) -> Iterator[Address]:
    """Serve ``slots`` in a thread; they are closed with it."""
    leaving, ready = Leaving(), threading.Event()
    app = build_app(
        slots,
        metrics=metrics or Metrics(),
        access=Access(TOKEN),
        limits=limits or Limits(),
        leaving=leaving,
        **given,
    )
    server = make_server(app, leaving=leaving, on_ready=ready.set)
    with bind("127.0.0.1", 0) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            assert ready.wait(LIMIT_S)
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            yield Address(model=slots.model, url=url, pid=0, started_at=0.0, token=TOKEN)
        finally:
            server.should_exit = True
            thread.join(LIMIT_S)
    assert not thread.is_alive()


def send(
    address: Address,
    path: str,
    body: bytes | str | None = None,
    *,
    content_type: str = "application/json",
    method: str | None = None,
    **headers: str,
) -> Reply:
    """Send one request on a connection of its own."""
    where = urlsplit(address.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=LIMIT_S)
    try:
        given = {"Content-Type": content_type, **headers}
        connection.request(method or ("GET" if body is None else "POST"), path, body, given)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())
    finally:
        connection.close()


def asked(address: Address) -> float:
    """Return what the server answers to the usual question."""
    reply = send(address, "/invocations", ASK.body)
    assert reply.status == 200, reply.body
    prediction: float = reply.json["predictions"][0]
    return prediction
