"""Running the application until told to stop, without losing a request."""

import asyncio
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.app import Leaving

__all__ = ["bind", "make_server"]

KEEP_ALIVE_S = 75  # longer than clients and proxies keep an idle connection
LAME_DUCK_S = 1.0
DRAIN_S = 30
BACKLOG = 1024
_LOOK_S = 0.01


class _Server(uvicorn.Server):
    """Leaves in two steps: first it says so on every answer, then it closes the doors.

    A client that keeps its connection is told by ``Connection: close`` on its last answer; so
    none sends a request into a connection that is just being closed.
    """

    def __init__(self, config: uvicorn.Config, leaving: Leaving, on_ready: Callable[[], None]):
        super().__init__(config)
        self._leaving = leaving
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn 0.54 would raise the signal again afterwards, and our cleaning up not happen.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leaving.is_set = True
        until = time.monotonic() + LAME_DUCK_S
        while self._is_spoken_to() and time.monotonic() < until:  # noqa: ASYNC110 uvicorn's own state
            await asyncio.sleep(_LOOK_S)
        await super().shutdown(sockets)

    def _is_spoken_to(self) -> bool:
        return bool(self.server_state.connections) and not self.force_exit


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 finds a free one.

    Raises:
        UnavailableError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio (3.11) turns Nagle's delay of 40 ms off only where the protocol is named.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:  # the latter: no such port
        sock.close()
        raise UnavailableError(
            f"{host} port {port} cannot be listened on ({error}). "
            "Choose another port, or 0 for any."
        ) from error
    return sock


def make_server(
    app: Starlette, *, leaving: Leaving, on_ready: Callable[[], None]
) -> uvicorn.Server:
    """Return a server to ``run(sockets=[…])``: until SIGTERM or SIGINT, or ``should_exit``.

    Args:
        app: What answers.
        leaving: Set on the way out, while what is in flight is finished.
        on_ready: Called once requests are answered.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return _Server(config, leaving, on_ready)
