"""Asking a web server whether it is there, telling nobody the login."""

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

__all__ = ["basic", "get", "read_place", "tls"]

ANSWER_S = 3.0


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody to another address: the login is meant for this one."""

    def redirect_request(self, *_: object) -> None:
        """Return no request, so that the answer itself comes back."""


def read_place(url: str) -> str | None:
    """Return where an address points to, without a login; None if it cannot be read."""
    try:
        where = urlsplit(url)
        _ = where.port  # raises if it is no number
    except ValueError:
        return None
    host = where.netloc.rpartition("@")[2]
    if where.scheme not in ("http", "https") or not where.hostname or "@" in where.path:
        return None  # an @ in the path: what is before it may be a password with a /
    return urlunsplit(SplitResult(where.scheme, host, where.path, "", ""))


def basic(name: str, password: str) -> str:
    """Return the header of a login by name and password."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def tls(bundle: str | None, *, is_checked: bool) -> ssl.SSLContext:
    """Return how a certificate is checked: by the system's, or by a file or folder of others.

    Raises:
        OSError: ``bundle`` cannot be read.
    """
    is_folder = bundle is not None and Path(bundle).is_dir()
    context = ssl.create_default_context(
        cafile=None if is_folder else bundle, capath=bundle if is_folder else None
    )
    if not is_checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def get(
    url: str, login: str | None = None, trust: ssl.SSLContext | None = None
) -> tuple[int, Mapping[str, str]] | str:
    """Return status and headers of an answer, whatever it is, or why there is none."""
    request = urllib.request.Request(url)  # noqa: S310 ``read_place`` lets http(s) through only
    if login is not None:
        request.add_unredirected_header("Authorization", login)
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(request, timeout=ANSWER_S) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)
    except OSError as error:
        return str(getattr(error, "reason", error))
    except (ValueError, http.client.HTTPException) as error:
        return type(error).__name__  # its text may quote a header, and so the login
