"""An endpoint takes turns of a session; without one, or without an answer, there is an error."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.optimization.test_reflective_loop import WORDS, begin, open_desk, run

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.optimization.reflective.by_endpoint import turn_by_endpoint
from ml_orchestrator.optimization.reflective.desk import ReflectiveDesk
from ml_orchestrator.optimization.reflective.endpoint import Endpoint, open_endpoint
from ml_orchestrator.optimization.reflective.models import Brief

KEY = "sk-secret-of-the-test"


class _Model(BaseHTTPRequestHandler):
    """Speaks the chat protocol: answers as the toy, and writes what its worst example lacks."""

    keys: ClassVar[list[str | None]] = []
    stopped: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.keys.append(self.headers["Authorization"])
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "/v1/chat/completions")
            self.end_headers()
            return
        if self.path.startswith("/drip"):
            self.drip(is_head=self.path.startswith("/drip-head"))
            return
        system, user = (message["content"] for message in asked["messages"])
        text = (
            self._written(json.loads(user))
            if system.startswith("You improve")
            else run(system, user)
        )
        body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200 if self.path == "/v1/chat/completions" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _written(self, told: dict[str, Any]) -> str:
        return f"<prompt>{told['prompt']} Consider {told['examples'][0]['expected']}.</prompt>"

    def drip(self, *, is_head: bool) -> None:
        """Send a byte now and then, faster than any timeout of a read, until the line is cut."""
        start = b"HTTP/1.0 200 OK\r\n" + (b"X: " if is_head else b"\r\n")
        try:
            self.wfile.write(start)
            while not self.stopped.wait(0.02):
                self.wfile.write(b"x")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    _Model.keys.clear()
    _Model.stopped.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    _Model.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def take(desk: ReflectiveDesk, brief: Brief, endpoint: Endpoint) -> Brief:
    given = turn_by_endpoint(endpoint, brief)
    return desk.submit(brief.session, answers=given.answers, proposals=given.candidates)


def test_an_endpoint_betters_a_prompt_turn_by_turn(tmp_path: Path, address: str) -> None:
    endpoint = open_endpoint(f"{address}/v1", "toy", KEY)
    desk = open_desk(tmp_path)
    brief = begin(desk)
    for _ in range(25):
        if brief.stage == "exhausted":
            break
        brief = take(desk, brief, endpoint)
    brief = desk.submit(brief.session, finish=True)
    report = take(desk, brief, endpoint).report
    assert report is not None
    assert all(word in report.text for word in WORDS)
    assert report.is_confirmed
    assert set(_Model.keys) == {f"Bearer {KEY}"}
    assert KEY not in repr(endpoint)
    assert KEY not in "".join(f.read_text() for f in tmp_path.rglob("*.json"))


@pytest.mark.parametrize("path", ["/broken", "/away"])
def test_an_endpoint_that_refuses_or_leads_away_is_an_error(
    tmp_path: Path, address: str, path: str
) -> None:
    desk = open_desk(tmp_path)
    brief = begin(desk)
    with pytest.raises(UnavailableError, match="refused: HTTP") as caught:
        take(desk, brief, open_endpoint(f"{address}{path}", "toy", KEY))
    assert KEY not in str(caught.value)
    assert desk.brief(brief.session) == brief  # nothing was handed in
    assert len(_Model.keys) == 1


def test_an_address_where_nobody_is_is_an_error(tmp_path: Path) -> None:
    brief = begin(open_desk(tmp_path))
    with pytest.raises(UnavailableError, match="cannot be reached"):
        turn_by_endpoint(Endpoint("http://127.0.0.1:1/v1", "toy"), brief)


def test_without_an_endpoint_or_over_an_open_line_nothing_is_asked() -> None:
    with pytest.raises(InvalidInputError, match="No endpoint is set"):
        open_endpoint(None, None, KEY)
    for url in (
        "http://example.org/v1",
        "https://me:pw@host/v1",
        "https://me:p/w@host/v1",
        "file:/x",
    ):
        with pytest.raises(InvalidInputError, match="must begin with https://"):
            open_endpoint(url, "toy", KEY)
    assert open_endpoint("https://example.org/v1", "toy", None).key is None


def test_outputs_beyond_the_time_of_a_call_are_left_for_the_next(
    tmp_path: Path, address: str
) -> None:
    times = iter([0.0, 1.0, 2.0, 46.0, *[47.0] * 50])
    given = turn_by_endpoint(
        open_endpoint(f"{address}/v1", "toy", None),
        begin(open_desk(tmp_path)),
        clock=lambda: next(times),
    )
    assert len(given.answers) == 2


@pytest.mark.parametrize("path", ["/drip", "/drip-head"])
def test_a_server_that_drips_is_cut_off_at_the_deadline(address: str, path: str) -> None:
    endpoint = open_endpoint(f"{address}{path}", "toy", KEY)
    with pytest.raises(UnavailableError, match="gave no whole answer within 0 s"):
        endpoint.ask("system", "user", timeout_s=0.3)


def test_writing_and_running_share_one_deadline(tmp_path: Path, address: str) -> None:
    endpoint = open_endpoint(f"{address}/v1", "toy", None)
    desk = open_desk(tmp_path)
    brief = begin(desk)
    while brief.needs:
        brief = take(desk, brief, endpoint)
    times = iter([0.0, 1.0, 20.0, 46.0])
    with pytest.raises(UnavailableError, match="no time left"):
        turn_by_endpoint(endpoint, brief, clock=lambda: next(times))


def test_a_server_that_never_ends_the_handshake_is_cut_off_too() -> None:
    _Model.stopped.clear()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = open_endpoint(f"https://127.0.0.1:{silent.getsockname()[1]}/v1", "toy", None)
        thread = threading.Thread(target=_send_slowly, args=(silent,))
        thread.start()
        with pytest.raises(UnavailableError, match="gave no whole answer within 0 s"):
            endpoint.ask("system", "user", timeout_s=0.3)
        thread.join(10)
        assert not thread.is_alive()


def _send_slowly(server: socket.socket) -> None:
    """Begin a record of TLS and send it byte by byte, until the other side has gone."""
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03")
        while not _Model.stopped.wait(0.02):
            connection.sendall(b"x")
