"""Lines of JSON-RPC: what the launcher has to read in them, and those it writes itself."""

from __future__ import annotations

import json
import re
import threading
from typing import IO, Any

__all__ = [
    "Message",
    "Output",
    "answered_id",
    "error",
    "id_key",
    "meta_of",
    "params_of",
    "parse",
    "progress",
    "result",
    "to_line",
    "tool_result",
]

Message = dict[str, Any]

# How the SDK's servers begin a response; anything else of theirs is passed on unread.
_RESPONSE = re.compile(rb'\{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|-?\d+),"(?:result|error)":')
_INTERNAL_ERROR = -32603


class Output:
    """Where lines go to the client; whole lines, from any thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def pass_on(self, line: bytes) -> None:
        """Write a line as it is."""
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    def send(self, message: Message) -> None:
        """Write a message of ours."""
        self.pass_on(to_line(message))


def to_line(message: Message) -> bytes:
    """Return a message as one line."""
    text = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False, separators=(",", ":"))
    return _encoded(text) + b"\n"


def parse(line: bytes) -> Message:
    """Return the message of a line; empty where it is no object, for the server to judge."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):  # nested too deep
        return {}
    return message if isinstance(message, dict) else {}


def id_key(identifier: Any) -> bytes:
    """Return an id as it stands in a response."""
    return _encoded(json.dumps(identifier, ensure_ascii=False))


def answered_id(line: bytes) -> bytes | None:
    """Return the id of a server's response, as ``id_key`` gives it; None for anything else."""
    found = _RESPONSE.match(line)
    return found.group(1) if found else None


def params_of(message: Message) -> Message:
    """Return the parameters of a message; empty where they are missing or no object."""
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def meta_of(message: Message) -> Message:
    """Return the ``_meta`` of a message's parameters; empty where it is missing."""
    meta = params_of(message).get("_meta")
    return meta if isinstance(meta, dict) else {}


def result(identifier: Any, content: Message) -> Message:
    """Return a response."""
    return {"id": identifier, "result": content}


def tool_result(request: Message, text: str, extras: Message, *, is_error: bool) -> Message:
    """Return what a tool said."""
    content = [{"type": "text", "text": text}]
    return result(request["id"], {**extras, "content": content, "isError": is_error})


def error(request: Message, text: str, extras: Message) -> Message:
    """Return what tells a caller that a request failed: a tool's error where a tool was called.

    A model sees the text of a tool's error, but not that of a protocol error.
    """
    if request.get("method") == "tools/call":
        return tool_result(request, text, extras, is_error=True)
    return {"id": request["id"], "error": {"code": _INTERNAL_ERROR, "message": text}}


def progress(request: Message, elapsed_s: float, text: str) -> Message | None:
    """Return a progress notification for a waiting request; None if it did not ask for any."""
    token = meta_of(request).get("progressToken")
    if token is None:
        return None
    params = {"progressToken": token, "progress": elapsed_s, "message": text}
    return {"method": "notifications/progress", "params": params}


def _encoded(text: str) -> bytes:
    """Return JSON as bytes; half a pair of surrogates, which UTF-8 has not, stays an escape."""
    return text.encode(errors="backslashreplace")
