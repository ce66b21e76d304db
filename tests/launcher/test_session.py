"""A session before there is a server, while it starts, and after it has gone."""

import io
import json
from pathlib import Path
from typing import Any

from tests.launcher.raw_client import HANDSHAKE, MODERN

from ml_orchestrator.launcher.session import Session
from ml_orchestrator.launcher.wire import parse

MANIFEST = Path(__file__).resolve().parents[2] / "bin" / "manifest.json"


class Pipe(io.BytesIO):
    """What was written to the client or to a server, as messages."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines() if line[:1] == b"{"]

    @property
    def ids(self) -> list[Any]:
        return [message.get("id") for message in self.messages]


class ObligingServer(Pipe):
    """A server's input; the first line written to it is answered at once."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def flush(self) -> None:
        if len(self.messages) == 1:
            self._session.pass_on(response(self.messages[0]["id"]))


def request(identifier: Any, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def notification(method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def response(identifier: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": identifier, "result": {}}
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def call(identifier: Any, **params: Any) -> bytes:
    return request(identifier, "tools/call", name="memory_load", arguments={}, **params)


def start(session: Session) -> ObligingServer:
    server = ObligingServer(session)
    session.greet(server)
    session.hand_over(server)
    return server


def test_early_calls_reach_the_server_in_order_after_the_handshake(
    session: Session, client: Pipe
) -> None:
    session.receive(request(0, "initialize", **HANDSHAKE))
    session.receive(notification("notifications/initialized"))
    session.receive(call("a"))
    session.receive(request(1, "tools/list"))
    session.receive(call("b"))
    server = start(session)

    assert client.ids == [0, 1]
    hello, initialized, *rest = server.messages
    assert (hello["method"], hello["params"]) == ("initialize", HANDSHAKE)
    assert initialized["method"] == "notifications/initialized"
    assert [message["id"] for message in rest] == ["a", "b"]


def test_later_lines_pass_both_ways_byte_for_byte(session: Session, client: Pipe) -> None:
    session.receive(request(0, "initialize", **HANDSHAKE))
    server = start(session)
    asked, answered = call(7), b'{"jsonrpc":"2.0","id":7,  "result" : {"x": "\xc3\xa9"}}\n'
    session.receive(asked)
    session.receive(b"no json\n")
    session.pass_on(answered)

    assert server.getvalue().endswith(asked + b"no json\n")
    assert client.getvalue().endswith(answered)


def test_a_call_given_up_before_the_server_is_there_is_never_made(session: Session) -> None:
    session.receive(request(0, "initialize", **HANDSHAKE))
    session.receive(call("given up"))
    session.receive(call("wanted"))
    session.receive(notification("notifications/cancelled", requestId="given up"))
    server = start(session)

    assert server.ids[1:] == ["wanted"]


def test_a_cancellation_passes_once_the_server_is_there(session: Session) -> None:
    session.receive(request(0, "initialize", **HANDSHAKE))
    server = start(session)
    session.receive(call(1))
    session.receive(notification("notifications/cancelled", requestId=1))

    assert server.messages[-1]["params"] == {"requestId": 1}


def test_a_subscription_is_acknowledged_once_and_moves_to_each_server(
    session: Session, client: Pipe
) -> None:
    listen = request(
        "listen:0", "subscriptions/listen", _meta=MODERN, notifications={"toolsListChanged": True}
    )
    session.receive(request(1, "server/discover", _meta=MODERN))
    session.receive(listen)
    _, acknowledged = client.messages
    line = json.dumps(acknowledged, separators=(",", ":")).encode() + b"\n"
    for _ in range(2):
        server = start(session)
        assert server.messages[0]["method"] == "server/discover"
        assert server.getvalue().endswith(listen)
        session.pass_on(line)
        session.lose_server("gone")

    assert client.messages == [client.messages[0], acknowledged]


def test_what_a_lost_server_owed_is_answered_with_an_error_and_the_rest_waits(
    session: Session, client: Pipe
) -> None:
    session.receive(request(0, "initialize", **HANDSHAKE))
    start(session)
    session.receive(call("answered"))
    session.receive(call("owed"))
    session.receive(request("read", "resources/read", uri="health://system"))
    session.pass_on(response("answered"))
    session.lose_server("It ended.")
    session.receive(call("next"))

    _, _, owed, read = client.messages
    text = [{"type": "text", "text": "It ended."}]
    assert owed["result"] == {"content": text, "isError": True}
    assert read["error"] == {"code": -32603, "message": "It ended."}
    assert start(session).ids[1:] == ["next"]


def test_a_modern_call_is_refused_in_the_modern_shape(session: Session, client: Pipe) -> None:
    session.receive(call(1, _meta=MODERN))
    session.refuse_waiting("Offline.")

    (refused,) = client.messages
    assert refused["result"]["isError"] is True
    assert refused["result"]["resultType"] == "complete"


def test_after_a_final_refusal_every_call_is_answered_with_it(
    session: Session, client: Pipe
) -> None:
    session.receive(call(1))
    session.refuse_for_good("Over.")
    session.receive(call(2))

    assert client.ids == [1, 2]
    assert all(m["result"]["content"][0]["text"] == "Over." for m in client.messages)


def test_a_handshake_that_comes_late_is_left_to_the_server(session: Session, client: Pipe) -> None:
    session.receive(b"no json\n")
    server = ObligingServer(session)
    session.greet(server)
    session.receive(request(0, "initialize", **HANDSHAKE))
    session.hand_over(server)

    assert client.messages == []
    assert server.messages[0]["method"] == "ping"
    assert server.getvalue().endswith(b"no json\n" + request(0, "initialize", **HANDSHAKE))


def test_progress_goes_to_the_calls_that_asked_for_it(session: Session, client: Pipe) -> None:
    session.receive(call(1))
    session.receive(call(2, _meta={"progressToken": 0}))
    session.report("half way")

    (told,) = client.messages
    assert told["method"] == "notifications/progress"
    assert (told["params"]["progressToken"], told["params"]["message"]) == (0, "half way")


def test_what_is_told_of_progress_rises_each_time(session: Session, client: Pipe) -> None:
    session.receive(call(1, _meta={"progressToken": 0}))
    for _ in range(20):
        session.report("half way")

    reached = [message["params"]["progress"] for message in client.messages]
    assert len(reached) == 20
    assert reached == sorted(set(reached))


def test_a_line_that_is_nested_too_deep_is_left_to_the_server() -> None:
    assert parse(b'{"id": 1, "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}") == {}
