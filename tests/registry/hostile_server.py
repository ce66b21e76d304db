"""A server that speaks as MLflow does and means harm, and one that nobody may ever ask."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
AT = 1_790_000_000_000
RUN = "0" * 32
MODEL: dict[str, Any] = {
    "name": "iris", "creation_timestamp": AT, "last_updated_timestamp": AT,
    "latest_versions": [], "aliases": [{"alias": "champion", "version": "1"}],
}  # fmt: skip
VERSION: dict[str, Any] = {
    "name": "iris", "version": "1", "creation_timestamp": AT, "last_updated_timestamp": AT,
    "source": "mlflow-artifacts:/1/models/m", "run_id": RUN, "status": "READY", "tags": [],
}  # fmt: skip
GOOD: Mapping[str, Any] = {
    API + "experiments/search": {"experiments": []},
    API + "registered-models/search": {"registered_models": [MODEL]},
    API + "registered-models/get": {"registered_model": MODEL},
    API + "registered-models/alias": {"model_version": VERSION},
    API + "model-versions/get": {"model_version": VERSION},
    API + "model-versions/search": {"model_versions": [VERSION]},
    API + "model-versions/get-download-uri": {"artifact_uri": "mlflow-artifacts:/1/models/m"},
    API + "runs/get": {"run": {"info": {"run_id": RUN, "status": "FINISHED", "start_time": AT,
                                        "artifact_uri": "mlflow-artifacts:/1/run"},
                               "data": {"metrics": [], "params": [], "tags": []}}},
    FILES: {"files": [{"path": "MLmodel", "is_dir": False, "file_size": "2"}]},
    FILES + "/1/models/m/MLmodel": b"{}",
    FILES + "/1/run/summary.json": b"{}",
}  # fmt: skip
Answer = Callable[["Handler"], None]
DRIP_S = 0.01


class Handler(BaseHTTPRequestHandler):
    """Answers by path: bytes as they are, functions by themselves, anything else as JSON."""

    server: "HostileServer"

    def _answer(self) -> None:
        where = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(where.query).items()}
        self.server.asked.append(where.path)
        content = self.server.answers.get(where.path, b"")
        if callable(content):
            content(self)
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.say(200, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 names of the library

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send one whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def pour(asked: Handler) -> None:
    """Send until the client hangs up."""
    asked.send_response(200)
    asked.end_headers()
    while True:
        asked.wfile.write(b'{"a": "b"' + b" " * 65_536)


def drip(asked: Handler) -> None:
    """Send byte after byte until the client hangs up."""
    asked.send_response(200)
    asked.end_headers()
    while True:
        asked.wfile.write(b" ")
        time.sleep(DRIP_S)


class HostileServer(ThreadingHTTPServer):
    """Answers are replaced by their path; ``asked`` are the paths in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = dict(GOOD)
        self.asked: list[str] = []

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        return f"http://{self.netloc}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests want."""


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Serve until left."""
    server = HostileServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
