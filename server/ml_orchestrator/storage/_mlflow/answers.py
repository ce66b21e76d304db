"""What an MLflow server answers, within limits of size and time and without packed content.

MLflow has no such limits (3.17). It makes its sessions of a class that it looks up by name, which
importing this module replaces; the package does, so every door that imports any of it is limited.
"""

import time
from collections.abc import Iterator
from typing import Any

from mlflow.utils import request_utils
from mlflow.utils.request_utils import TCPKeepAliveHTTPAdapter
from urllib3.exceptions import HTTPError

from ml_orchestrator.errors import UnavailableError

__all__ = ["pieces", "whole"]

MAX_ANSWER_BYTES = 100_000_000
MAX_ANSWER_S = 300.0
_PIECE_BYTES = 1 << 18


class _LimitedAdapter(TCPKeepAliveHTTPAdapter):
    """Asks for plain content and reads no more than ``MAX_ANSWER_BYTES`` of it by itself."""

    def send(self, request: Any, stream: bool = False, *rest: Any, **more: Any) -> Any:
        request.headers["Accept-Encoding"] = "identity"
        answer = super().send(request, stream, *rest, **more)
        packed = answer.headers.get("Content-Encoding", "").strip().lower()
        if packed not in {"", "identity"}:  # a byte of it may unfold to any number
            answer.close()
            raise UnavailableError(
                f"MLflow sent packed content ({packed[:40]!r}) that was not asked for; refused. "
                "Let the server or the proxy before it send plain content."
            )
        if not stream:
            answer._content = _content(answer)  # where requests keeps what was read
        return answer


request_utils.TCPKeepAliveHTTPAdapter = _LimitedAdapter  # type: ignore[misc]


def _content(answer: Any) -> bytes:
    content = whole(pieces(answer, until=time.monotonic() + MAX_ANSWER_S), MAX_ANSWER_BYTES)
    if content is None:
        answer.close()
        raise UnavailableError(
            f"MLflow cannot be understood: the answer has more than {MAX_ANSWER_BYTES} bytes. Is "
            "a server of MLflow 3 at that address?"
        )
    return content


def whole(parts: Iterator[bytes], limit_bytes: int) -> bytes | None:
    """Return the parts as one, None once there are more than ``limit_bytes``."""
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > limit_bytes:
            return None
    return bytes(content)


def pieces(answer: Any, *, until: float) -> Iterator[bytes]:
    """Give what comes, as it comes; each piece may take MLflow's time-out, all of them ``until``.

    Args:
        answer: a response of ``requests`` whose content was not read.
        until: when there must be an end, by ``time.monotonic``.

    Raises:
        UnavailableError: the server stops in the middle, or is too slow.
    """
    try:
        while part := answer.raw.read1(_PIECE_BYTES, decode_content=False):
            if time.monotonic() > until:
                answer.close()
                raise UnavailableError(
                    "MLflow's server sends too slowly; the answer was given up. Try again when it "
                    "is less busy."
                )
            yield part
    except HTTPError as error:
        raise UnavailableError(
            f"MLflow's server stopped in the middle of an answer ({type(error).__name__}). Try "
            "again in a moment."
        ) from error
