"""A real receiver of OTLP over HTTP, in this process: it decodes what is sent and keeps it."""

import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span, with the name of the service that made it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool


@dataclass
class Receiver:
    url: str
    spans: list[Seen] = field(default_factory=list)
    points: defaultdict[str, list[tuple[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    logins: list[str | None] = field(default_factory=list)

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Seen:
        (span,) = self.named(name)
        return span

    def ancestors(self, span: Seen) -> list[str]:
        """Return the names of the spans that a span lies in, innermost first."""
        by_id = {each.span_id: each for each in self.spans}
        names = []
        while (found := by_id.get(span.parent_id)) is not None:
            names.append(found.name)
            span = found
        return names

    def attributes(self, metric: str) -> list[dict[str, Any]]:
        return [plain(point.attributes) for _, point in self.points[metric]]

    def services(self, metric: str) -> set[str]:
        return {service for service, _ in self.points[metric]}

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = plain(batch.resource.attributes)["service.name"]
                for scope in batch.scope_spans:
                    self.spans += [_seen(service, span) for span in scope.spans]
        elif path == "/v1/metrics":
            for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                service = plain(part.resource.attributes)["service.name"]
                for group in part.scope_metrics:
                    for metric in group.metrics:
                        data = getattr(metric, metric.WhichOneof("data"))
                        self.points[metric.name] += [(service, p) for p in data.data_points]


def plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        plain(span.attributes),
        is_error=span.status.code == 2,
    )


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            with lock:
                receiver.logins.append(self.headers.get("X-Login"))
                receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
