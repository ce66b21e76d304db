"""Eight clients ask while versions are swapped, and none may get anything but an answer.

``python -m tests.serving.load [--swaps 100] [--requests 100000] [--clients 8]`` from the root
of the repository: starts a real server on two registered versions and prints one JSON line, the
limits among it. Exit code 0 if they all hold: no request failed, every answer was one of the two
versions' own, loading and warming takes 100 ms (median, nobody asking), a flip 1 ms (p50 and p99).
"""

import argparse
import json
import logging
import math
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.registry.flowers import iris, log_flowers, make_desk, train

from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import ServingControl
from ml_orchestrator.serving.launch import start_server, stop_server
from ml_orchestrator.settings import Settings

LIMIT_S = 60.0
IDLE_LOADS = 5
LIMITS = {
    "failed": 0,
    "answers_of_neither_version": 0,
    "idle_load_and_warm_p50_ms": 100.0,
    "flip_p50_ms": 1.0,
    "flip_p99_ms": 1.0,
}
STRENGTHS = (0.001, 10.0)  # of versions 1 and 2: they differ on some flowers


@dataclass
class Tally:
    """What all clients saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    n_asked: int = 0
    n_answered: int = 0
    failures: list[str] = field(default_factory=list)
    answers: set[bytes] = field(default_factory=set)
    taken_ms: list[float] = field(default_factory=list)

    def fail(self, why: str) -> None:
        with self.lock:
            self.failures.append(why)


class Client(threading.Thread):
    """Asks over one kept connection until ``n`` answers came or the server says it leaves."""

    def __init__(self, address: Address, body: bytes, tally: Tally, n: int | None) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._body = body
        self._tally = tally
        self._n = n
        self.enough = threading.Event()

    def run(self) -> None:
        where = urlsplit(self._address.url)
        head = (
            f"POST /invocations HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        )
        asked = 0
        try:
            with (
                socket.create_connection((where.hostname, where.port), timeout=LIMIT_S) as sock,
                sock.makefile("rb") as answers,
            ):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while not self.enough.is_set() and asked != self._n:
                    asked += 1
                    if not self._ask(sock, answers, head.encode() + self._body):
                        return
        except (OSError, ValueError) as error:
            self._tally.fail(repr(error))

    def _ask(self, sock: socket.socket, answers: Any, request: bytes) -> bool:
        """Ask once; return whether the connection stays."""
        began = time.perf_counter()
        with self._tally.lock:
            self._tally.n_asked += 1
        sock.sendall(request)
        status = answers.readline().split()
        headers = {}
        while (line := answers.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().lower()
        body = answers.read(int(headers[b"content-length"]))
        took_ms = (time.perf_counter() - began) * 1e3
        with self._tally.lock:
            if status[1:2] != [b"200"]:
                self._tally.failures.append(f"{status}: {body[:200]!r}")
            self._tally.n_answered += 1
            self._tally.answers.add(body)
            self._tally.taken_ms.append(took_ms)
        return headers.get(b"connection") != b"close"


def start_clients(
    address: Address, body: bytes, tally: Tally, *, n_clients: int, n_requests: int | None
) -> list[Client]:
    """Start them; ``n_requests`` None asks until told that it is enough."""
    each = None if n_requests is None else n_requests // n_clients
    clients = [Client(address, body, tally, each) for _ in range(n_clients)]
    for client in clients:
        client.start()
    return clients


def join(clients: Sequence[Client], tally: Tally) -> None:
    """Wait for them, a bounded time."""
    until = time.monotonic() + LIMIT_S * 10
    for client in clients:
        client.join(max(0.0, until - time.monotonic()))
        if client.is_alive():
            tally.fail("a client got no answer in time")


def register_two(home: Path) -> None:
    """Register versions 1 and 2 of 'iris'."""
    desk = make_desk(home)
    for c in STRENGTHS:
        logged = log_flowers(home, f"load-{c:g}".replace(".", "_"), c=c)
        desk.vault.register("iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={})


def question() -> tuple[bytes, list[bytes]]:
    """Return a request on which versions 1 and 2 differ if any does, and their own answers."""
    frame, _ = iris()
    rows = frame.iloc[50:150]
    body = json.dumps(
        {"dataframe_split": {"columns": list(frame.columns), "data": rows.to_numpy().tolist()}}
    )
    own = [
        json.dumps({"predictions": train(c=c).predict(rows).tolist()}).encode() for c in STRENGTHS
    ]
    return body.encode(), own


def swap_under_load(
    settings: Settings, *, n_swaps: int, n_requests: int, n_clients: int
) -> dict[str, Any]:
    """Run the load with its swaps and return what was seen."""
    body, own = question()
    address = start_server(settings, "iris", version=1)
    control = HttpServingControl(address)
    idle_ms = [load_again(control) for _ in range(IDLE_LOADS)]
    tally = Tally()
    clients = start_clients(address, body, tally, n_clients=n_clients, n_requests=n_requests)
    loaded_ms, flips_ms, swaps = [], [], 0
    began = time.perf_counter()
    try:
        for number in range(n_swaps):
            wait_for(tally, n_requests * number // n_swaps, clients)
            loaded_ms.append(load_again(control))
            control.swap(expected_generation=control.state().generation)
            flips_ms.append(last_flip_ms(address))
            swaps += 1
        join(clients, tally)
    finally:
        for client in clients:
            client.enough.set()
    took_s = time.perf_counter() - began
    odd = tally.answers - set(own)
    return {
        "swaps": swaps,
        "requests": tally.n_answered,
        "failed": len(tally.failures) + tally.n_asked - tally.n_answered,
        "failures": tally.failures[:5],
        "answers_of_neither_version": len(odd),
        "versions_seen": len(tally.answers & set(own)),
        "rps": round(tally.n_answered / took_s, 1),
        "p50_ms": round(quantile(tally.taken_ms, 0.5), 3),
        "p99_ms": round(quantile(tally.taken_ms, 0.99), 3),
        "idle_load_and_warm_p50_ms": round(quantile(idle_ms, 0.5), 2),
        "load_and_warm_p50_ms": round(quantile(loaded_ms, 0.5), 2),
        "load_and_warm_max_ms": round(max(loaded_ms), 2),
        "flip_p50_ms": round(quantile(flips_ms, 0.5), 4),
        "flip_p99_ms": round(quantile(flips_ms, 0.99), 4),
        "flip_max_ms": round(max(flips_ms), 4),
    }


def exceeded(seen: Mapping[str, Any], limits: Mapping[str, float]) -> list[str]:
    """Return the limits that do not hold; what was not measured holds none."""
    return [name for name, most in limits.items() if not seen.get(name, math.inf) <= most]


def judged(seen: Mapping[str, Any], limits: Mapping[str, float]) -> int:
    """Print a line of JSON with what was seen, and return the exit code: 1 beyond a limit."""
    broken = exceeded(seen, limits)
    print(json.dumps({**seen, "limits": limits, "exceeded": broken}))
    return int(bool(broken))


def load_again(control: ServingControl) -> float:
    """Load the version that does not answer, afresh, and return how long that took, in ms."""
    state = control.unload_green(expected_generation=control.state().generation)
    slot = control.load_green(2 if state.blue == 1 else 1)
    return slot.load_ms + slot.warm_ms


def wait_for(tally: Tally, n_answered: int, clients: Sequence[Client]) -> None:
    """Wait until that many answers came, so that swaps are spread over the load."""
    while tally.n_answered < n_answered and any(client.is_alive() for client in clients):
        time.sleep(0.002)


def last_flip_ms(address: Address) -> float:
    """Read how long the last swap took from the server's metrics."""
    where = urlsplit(address.url)
    with socket.create_connection((where.hostname, where.port), timeout=LIMIT_S) as sock:
        sock.sendall(
            f"GET /metrics HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode()
        )
        with sock.makefile("rb") as answer:
            text = answer.read().decode()
    (line,) = (x for x in text.splitlines() if x.startswith("ml_serving_last_flip_seconds "))
    return float(line.split()[1]) * 1e3


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> int:
    """Run the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    folder = Path(tempfile.mkdtemp(prefix="ml-load-"))
    settings = Settings.read({}, home=folder / "home", project_dir=folder)
    settings.home.mkdir()
    try:
        register_two(settings.home)
        seen = swap_under_load(
            settings,
            n_swaps=options.swaps,
            n_requests=options.requests,
            n_clients=options.clients,
        )
    finally:
        stop_server(settings, "iris")
        shutil.rmtree(folder, ignore_errors=True)
    return judged(seen, LIMITS)


if __name__ == "__main__":
    sys.exit(main())
