"""Messages between a server and the process of its model: lengths, a JSON header, a body.

Nothing is unpickled on either side, so a model that took over its process gains no hold on the
server by what it answers.
"""

import json
import struct
from typing import IO, Any

__all__ = ["read_message", "write_message"]

MAX_BYTES = 100_000_000
_LENGTHS = struct.Struct(">II")


def write_message(pipe: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message; callers that share a pipe lock it."""
    head = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(head), len(body)) + head + body)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Return the next message; None at the end of the pipe, or in the middle of one.

    Raises:
        ValueError: it is not a message.
    """
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    n_head, n_body = _LENGTHS.unpack(lengths)
    if n_head + n_body > MAX_BYTES:
        raise ValueError(f"a message of {n_head + n_body} bytes")
    content = pipe.read(n_head + n_body)
    if len(content) < n_head + n_body:
        return None
    header = json.loads(content[:n_head])
    if not isinstance(header, dict):
        raise ValueError("a message without a header")
    return header, content[n_head:]
