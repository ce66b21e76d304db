"""A Messages API on loopback whose model is a script: what it says depends on what it is told.

A script is a generator that yields tool calls, is sent their results, and returns its last
words. Each request carries the whole conversation, so each is answered by replaying a fresh
script up to that point; a repeated request gets the same answer.
"""

import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeAlias

__all__ = ["Actor", "Call", "Request", "Result", "Script", "ScriptedApi", "serve"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the model makes."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's answer as the model sees it."""

    text: str
    is_error: bool

    def json(self) -> Any:
        """Return the answer parsed, for the script to decide by."""
        return json.loads(self.text)


Script: TypeAlias = Generator[Call, Result, str]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is speaking: known by a phrase of its system prompt, or by having none of the others."""

    name: str
    phrase: str
    script: Callable[[], Script]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the client, and who it was for."""

    actor: str
    body: Mapping[str, Any]

    @property
    def tools(self) -> dict[str, Mapping[str, Any]]:
        """The tool definitions sent along, by name."""
        return {tool["name"]: tool for tool in self.body.get("tools", [])}

    @property
    def said(self) -> str:
        """Every text of the conversation so far, the results of calls left out."""
        return "\n".join(text for message in self.body["messages"] for text in _texts(message))

    @property
    def exchanges(self) -> list[tuple[Call, Result]]:
        """The calls made so far in this conversation, with their results, oldest first."""
        blocks = [block for message in self.body["messages"] for block in _blocks(message)]
        results = {b["tool_use_id"]: _result(b) for b in blocks if b["type"] == "tool_result"}
        calls = [block for block in blocks if block["type"] == "tool_use"]
        return [(Call(c["name"], c["input"]), results[c["id"]]) for c in calls]


class ScriptedApi:
    """Answers requests by the actors' scripts and keeps every request.

    The first actor whose phrase stands in the system prompt speaks; a request without tools
    (a title, a summary) is answered with one word and kept under the name ``aside``.
    """

    def __init__(self, actors: Sequence[Actor]) -> None:
        self._actors = actors
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.url = ""

    def of(self, actor: str) -> list[Request]:
        """Return an actor's requests, oldest first."""
        return [request for request in self.requests if request.actor == actor]

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content block that answers a request."""
        actor = self._speaker(body)
        request = Request(actor.name if actor else "aside", body)
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        step = _next_step(actor.script(), request.exchanges) if actor else "Noted."
        if isinstance(step, str):
            return {"type": "text", "text": step}
        call = {"name": step.tool, "input": dict(step.arguments)}
        return {"type": "tool_use", "id": f"toolu_{number:04d}", **call}

    def _speaker(self, body: Mapping[str, Any]) -> Actor | None:
        if not body.get("tools"):
            return None
        system = json.dumps(body.get("system", ""), ensure_ascii=False)
        return next((actor for actor in self._actors if actor.phrase in system), None)


@contextmanager
def serve(*actors: Actor) -> Iterator[ScriptedApi]:
    """Serve the actors on a free port of loopback while the block runs."""
    api = ScriptedApi(actors)
    handler = type("Handler", (_Handler,), {"api": api})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def _next_step(script: Script, exchanges: Sequence[tuple[Call, Result]]) -> Call | str:
    try:
        step = next(script)
        for _, result in exchanges:
            step = script.send(result)
    except StopIteration as stop:
        return str(stop.value)
    except (ValueError, LookupError, TypeError) as error:
        return f"The script cannot go on after the last result: {error!r}"
    return step


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else []


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block["type"] == "text"]


def _result(block: Mapping[str, Any]) -> Result:
    content = block.get("content", "")
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part["type"] == "text")
    return Result(content, bool(block.get("is_error", False)))


class _Handler(BaseHTTPRequestHandler):
    """The few routes of the Messages API that Claude Code uses."""

    protocol_version = "HTTP/1.1"
    api: ClassVar[ScriptedApi]

    def do_HEAD(self) -> None:
        self._send("application/json", b"")

    def do_GET(self) -> None:
        self._send("application/json", b'{"data": []}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.startswith("/v1/messages/count_tokens"):
            return self._send("application/json", b'{"input_tokens": 1000}')
        if not self.path.startswith("/v1/messages"):
            return self._send("application/json", b"{}")
        message = _message(body, self.api.answer(body))
        if not body.get("stream"):
            return self._send("application/json", json.dumps(message).encode())
        return self._send("text/event-stream", b"".join(_events(message)))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet; the requests themselves are kept."""

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _message(body: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{block.get('id', 'text')}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "content": [block],
        "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def _events(message: Mapping[str, Any]) -> Iterator[bytes]:
    (block,) = message["content"]
    if block["type"] == "tool_use":
        opening = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        opening = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    opened = {**message, "content": [], "stop_reason": None}
    yield _event("message_start", message=opened)
    yield _event("content_block_start", index=0, content_block=opening)
    yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    yield _event("message_delta", delta=ending, usage={"output_tokens": 5})
    yield _event("message_stop")


def _event(kind: str, **content: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **content})}\n\n".encode()
