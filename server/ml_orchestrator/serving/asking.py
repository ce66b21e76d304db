"""One short question to a server on this machine."""

import http.client
from urllib.parse import urlsplit

__all__ = ["ask", "ask_status"]

MAX_BYTES = 1_000_000


def ask_status(url: str, path: str, *, timeout_s: float) -> int | None:
    """Return the status of ``GET path`` of the server at ``url``; None without one in time."""
    answer = ask(url, path, timeout_s=timeout_s, max_bytes=0)
    return None if answer is None else answer[0]


def ask(
    url: str, path: str, *, timeout_s: float, max_bytes: int = MAX_BYTES
) -> tuple[int, str] | None:
    """Return status and beginning of the answer to ``GET path``; None without one in time."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(max_bytes).decode(errors="replace") if max_bytes else ""
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
