"""Our model server beside ``mlflow models serve --env-manager local``, on the same model.

Both answer the same version of a scaled logistic regression on 30 columns, one row a request,
over connections that are kept: with one client and with eight. Then the same for a pipeline that
our training makes of 30 numbers and two texts, and ``model_predict`` over stdio.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from _figures import Figure, arguments, percentile, show
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tool_latency import Session

from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.preprocessing import FeatureKinds, build_pipeline
from ml_orchestrator.training.trainer import Needs
from ml_orchestrator.training.trusted_types import LIBRARY_TYPES

READY_S = 120.0
PEER = "mlflow models serve"
ROUNDS = 5


@dataclass
class Server:
    """One server under measurement and what was found."""

    port: int
    process: psutil.Process
    ready_s: float
    body: bytes
    rps: dict[int, list[float]] = field(default_factory=dict)
    taken_ms: dict[int, list[float]] = field(default_factory=dict)

    @property
    def memory_mb(self) -> float:
        """Resident memory of it and its children."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(p.memory_info().rss for p in family) / 1e6

    def load(self, n_clients: int, n_requests: int) -> None:
        """Send requests over ``n_clients`` connections and keep what they took."""
        taken: list[list[float]] = [[] for _ in range(n_clients)]
        threads = [
            threading.Thread(target=self._ask, args=(n_requests // n_clients, into))
            for into in taken
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.perf_counter() - began
        answered = [ms for into in taken for ms in into]
        self.rps.setdefault(n_clients, []).append(len(answered) / took_s)
        self.taken_ms.setdefault(n_clients, []).extend(answered)

    def _ask(self, n: int, into: list[float]) -> None:
        connection = _Connection(self.port, self.body)
        for _ in range(n):
            began = time.perf_counter()
            connection.ask()
            into.append((time.perf_counter() - began) * 1e3)
        connection.close()


class _Connection:
    """A client that costs little, so that the server is what is measured."""

    def __init__(self, port: int, body: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        head = (
            f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body

    def ask(self) -> bytes:
        """Send the request and read the answer; anything but 200 ends the benchmark."""
        self._socket.sendall(self._request)
        status = self._file.readline()
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = self._file.read(length)
        if b" 200 " not in status:
            raise SystemExit(f"{status!r}: {answer[:500]!r}")
        return answer

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()


def register(settings: Settings, model: str, estimator: Any, frame: pd.DataFrame) -> Path:
    """Register a fitted model with a manifest and return where its files are."""
    home = settings.home
    logged = MlflowTracker(settings.mlflow_tracking_uri, home).log_trained_model(
        orchestrator_run_id=f"benchmark-{model}",
        experiment="benchmark",
        model_name=model,
        params={},
        metrics={},
        tags={},
        artifacts={},
        model=estimator,
        input_example=frame,
        predictions=estimator.predict(frame),
        pip_requirements=["scikit-learn", "skops"],
        trusted_types=list(LIBRARY_TYPES),
    )
    with registry_for_a_step(settings) as desk:
        desk.vault.register(model, source_uri=logged.source_uri, run_id=logged.run_id, tags={})
        copy = home / f"copy-{model}"
        with desk.vault.checkout(model, 1) as checked:
            shutil.copytree(checked.directory, copy)
    return copy


def plain() -> tuple[Any, pd.DataFrame]:
    """A scaled logistic regression on 30 numbers."""
    frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    return model.fit(frame, target), frame


def columned() -> tuple[Any, pd.DataFrame]:
    """The pipeline our training makes of 30 numbers and two texts."""
    _, frame = plain()
    _, target = load_breast_cancer(return_X_y=True, as_frame=True)
    site = pd.Series(["north", "south"] * len(frame))[: len(frame)].astype(object)
    frame = frame.assign(site=site, ward=site + "-1")
    kinds = FeatureKinds(tuple(frame.columns[:30]), (), ("site", "ward"), ())
    needs = Needs(scales=True, imputes=True, categories="one_hot")
    return build_pipeline(kinds, needs, LogisticRegression(max_iter=1_000)).fit(
        frame, target
    ), frame


@contextmanager
def started(command: list[str], port: int, body: bytes, folder: Path) -> Iterator[Server]:
    """Start a server, wait until it is ready, and end it with its children."""
    environment = {
        **os.environ,
        "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR",
        "PATH": f"{_uvicorn(folder)}{os.pathsep}{os.environ['PATH']}",
    }
    began = time.perf_counter()
    with (folder / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - began > READY_S:
                raise SystemExit((folder / f"log-{port}").read_text()[-2_000:])
            time.sleep(0.02)
        yield Server(port, psutil.Process(process.pid), time.perf_counter() - began, body)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _uvicorn(folder: Path) -> Path:
    """Return a folder with the program that MLflow looks for on the path."""
    program = folder / "bin" / "uvicorn"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m uvicorn "$@"\n')
    program.chmod(0o700)
    return program.parent


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def compare(
    settings: Settings, model: str, copy: Path, frame: pd.DataFrame, n: int
) -> list[Figure]:
    """Measure both servers on one model, in turns."""
    row = frame.head(1)
    body = json.dumps({"dataframe_split": json.loads(row.to_json(orient="split"))}).encode()
    folder = settings.home
    port, peer_port = _free_port(), _free_port()
    ours_command = [
        sys.executable, "-m", "ml_orchestrator", "--home", str(folder),
        "serve", "--model", model, "--version", "1", "--port", str(port),
    ]  # fmt: skip
    peer_command = [
        sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local",
        "--model-uri", str(copy), "--port", str(peer_port), "--host", "127.0.0.1",
    ]  # fmt: skip
    with (
        started(ours_command, port, body, folder) as ours,
        started(peer_command, peer_port, body, folder) as peer,
    ):
        same = {_Connection(server.port, body).ask() for server in (ours, peer)}
        if len({json.dumps(json.loads(answer)) for answer in same}) != 1:
            raise SystemExit(f"the answers differ: {same}")
        for server in (ours, peer):  # warm
            server.load(1, 50)
            server.rps.clear()
            server.taken_ms.clear()
        for _ in range(ROUNDS):
            for n_clients in (1, 8):
                for server in (ours, peer):
                    server.load(n_clients, n // ROUNDS)
        return [*_speed(model, ours, peer), *_cost(model, ours, peer)]


def _speed(model: str, ours: Server, peer: Server) -> Iterator[Figure]:
    for n_clients in (1, 8):
        mine, theirs = ours.taken_ms[n_clients], peer.taken_ms[n_clients]
        label = f"{model}, {n_clients} client{'s' if n_clients > 1 else ''}"
        for name, share, goal in (("p50", 0.5, 1 / 3), ("p99", 0.99, None)):
            yield Figure(
                f"{label}: {name}", "ms", percentile(mine, share), percentile(theirs, share),
                PEER, goal, len(mine),
            )  # fmt: skip
        # Lower is better in these figures, so throughput is given as time per request.
        mine_ms = 1e3 / statistics.median(ours.rps[n_clients])
        theirs_ms = 1e3 / statistics.median(peer.rps[n_clients])
        yield Figure(f"{label}: 1/throughput", "ms", mine_ms, theirs_ms, PEER, 1 / 3, len(mine))


def _cost(model: str, ours: Server, peer: Server) -> Iterator[Figure]:
    yield Figure(f"{model}: memory", "MB", ours.memory_mb, peer.memory_mb, PEER, None, 1)
    yield Figure(f"{model}: ready after", "s", ours.ready_s, peer.ready_s, PEER, None, 1)


def predict_tool(settings: Settings, model: str, frame: pd.DataFrame, n: int) -> list[Figure]:
    """Measure ``model_predict`` from request line to answer line; the goal is 100 ms at p99."""
    (row,) = json.loads(frame.head(1).to_json(orient="records"))
    command = [sys.executable, "-m", "ml_orchestrator", "--home", str(settings.home), "mcp"]
    session = Session(command, settings.home)
    try:
        call = {"model": model, "version": 1, "rows": [row]}
        first = session.call_ms("model_predict", call)
        taken = [session.call_ms("model_predict", call) for _ in range(n)]
    finally:
        session.close()
    return [
        Figure("model_predict, first ever", "ms", first, None, None, None, 1),
        *(
            Figure(
                f"model_predict {name}", "ms", percentile(taken, share), limit,
                "limit", None if limit is None else 1.0, n,
            )
            for name, share, limit in (("p50", 0.5, None), ("p99", 0.99, 100.0))
        ),
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    n = 500 if options.quick else 5_000
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.read({}, project_dir=Path(folder))
        settings.home.mkdir(mode=0o700)
        for model, (estimator, frame) in (("plain", plain()), ("columned", columned())):
            copy = register(settings, model, estimator, frame)
            figures += compare(settings, model, copy, frame, n)
        figures += predict_tool(settings, "columned", frame, n // 5)
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
