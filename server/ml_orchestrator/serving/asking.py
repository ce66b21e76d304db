"""One short question to a server on this machine."""

import http.client
from urllib.parse import urlsplit

__all__ = ["ask_status"]


def ask_status(url: str, path: str, *, timeout_s: float) -> int | None:
    """Return the status of ``GET path`` of the server at ``url``; None without one in time."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
