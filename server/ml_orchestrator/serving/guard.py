"""Who may speak to a model server: the right host and origin, and a token for its operator."""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ml_orchestrator.serving.refusals import refusal

__all__ = ["LOOPBACK", "Access", "Guard"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ADMIN = "/admin/"


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The operator's token, and the names a request may call this server by; None: any."""

    token: str
    hosts: frozenset[str] | None = LOOPBACK


class Guard:
    """Refuses requests that another web page sent, or an operator's without the token.

    A page in a browser may send to loopback: its Host (after DNS rebinding) or its Origin
    tells. ``/admin/`` is for this machine only, whatever address the server listens on.
    """

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app = app
        self._access = access
        self._bearer = f"Bearer {access.token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer why not."""
        fault = self._fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        status, message = fault
        answer = refusal(status, message)
        response = Response(answer.body, status, media_type="application/json")
        await response(scope, receive, send)

    def _fault(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        is_admin = scope["path"].startswith(ADMIN)
        hosts = LOOPBACK if is_admin else self._access.hosts
        if hosts is not None:
            if _name(f"//{headers.get('host', '')}") not in hosts:
                return 403, "This server is not known by that host name."
            if (origin := headers.get("origin")) and _name(origin) not in hosts:
                return 403, "Requests from pages of another origin are refused."
        if is_admin:
            client = scope.get("client")
            if client is None or client[0] not in LOOPBACK:
                return 403, "The operator's endpoints answer on this machine only."
            given = headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._bearer):
                return 401, "A bearer token is needed; it is in the server's file in the home."
        return None


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
