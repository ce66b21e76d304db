"""Connections that end at a moment, however slowly the other side drips.

A socket's timeout counts anew with each read; a server that sends a byte now and then would hold a
thread for as long as it likes.
"""

import contextlib
import http.client
import socket
import threading
import urllib.request
from functools import partial
from types import TracebackType
from typing import Any

__all__ = ["Line"]


class Line:
    """Cuts the connections of its openers after ``timeout_s`` seconds; use it with ``with``."""

    def __init__(self, timeout_s: float) -> None:
        self.is_cut = False
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(timeout_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "Line":
        """Start the clock."""
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the clock and let go of the connections."""
        self._timer.cancel()
        with self._lock:
            for held in self._held:
                held.close()
            self._held.clear()

    def opener(self, *others: urllib.request.BaseHandler | type) -> urllib.request.OpenerDirector:
        """Return what opens addresses over connections that are cut."""
        return urllib.request.build_opener(_Plain(self), _Tls(self), *others)

    def hold(self, connection: socket.socket) -> None:
        """Take a connection to be cut; one that comes too late is cut at once."""
        with self._lock:
            self._held.append(connection.dup())  # TLS takes the first one away
        if self.is_cut:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            self.is_cut = True
            for held in self._held:
                with contextlib.suppress(OSError):  # the other side has ended it
                    held.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    line: Line

    def connect(self) -> None:
        super().connect()
        self.line.hold(self.sock)


class _TlsConnection(http.client.HTTPSConnection, _Connection):
    """Its ``connect`` calls that of ``_Connection`` before the handshake."""


def _connection(kind: type[_Connection], line: Line, host: str, **others: Any) -> _Connection:
    made = kind(host, **others)
    made.line = line
    return made


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_connection, _Connection, self._line), req)


class _Tls(urllib.request.HTTPSHandler):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_connection, _TlsConnection, self._line), req)
