"""Are worker and model servers well, and is what they left behind true?"""

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note
from ml_orchestrator.orchestration.leases import Lease, is_running
from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.asking import ask, ask_status

__all__ = ["DEFAULT_PORT", "check_port", "check_servers", "check_worker"]

DEFAULT_PORT = 8642
ANSWER_S = 2.0
# What our servers say under /metrics, and to those who ask by another host name.
_METRICS = ("mcp_server_operation_duration_seconds", "ml_orchestrator_")
_REFUSAL = "This server is not known by that host name."
_COLUMNS = "executor_id, host, pid, process_started_at, renewed_at, is_live"


def check_worker(patient: Patient) -> Iterator[Finding]:
    """Look at the leases of workers."""
    leases = _leases(patient.home / "leases.db")
    for lease in leases:
        yield _about(lease, patient)
    if not leases:
        yield fine("worker", "None runs; the next run starts one.")


def _leases(path: Path) -> list[Lease]:
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM leases").fetchall()  # noqa: S608
    except sqlite3.DatabaseError:
        return []  # the check of the files says so
    return [Lease(*row) for row in rows if row[-1]]


def _about(lease: Lease, patient: Patient) -> Finding:
    silent_s = time.time() - lease.renewed_at
    if silent_s <= patient.settings.lease_ttl_s:
        return fine("worker", f"Process {lease.pid} on {lease.host} is at work.")
    since = f"has not been heard of for {silent_s:.0f} s"
    if not lease.is_here:
        do = f"Look at {lease.host}. If it is gone, the next worker here takes over its runs."
        return note("worker", f"Worker {lease.pid} on {lease.host} {since}.", do)
    if is_running(lease):
        do = f"kill {lease.pid}, or start a run: the next worker ends it and takes over its runs."
        return fault("worker", f"Worker {lease.pid} {since} but still runs: it hangs.", do)
    do = "Run `ml-orchestrator worker`, or ask a run's status: the next worker takes over its runs."
    return fault("worker", f"Worker {lease.pid} died ({since}); its runs wait.", do)


def check_servers(patient: Patient) -> Iterator[Finding]:
    """Look at whether model servers answer where their files say they are."""
    for path in sorted(patient.home.glob("serving/*.json")):
        yield _about_server(path)


def _about_server(path: Path) -> Finding:
    again = f"ml-orchestrator serve --model {path.stem}"
    try:
        address = Address(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return fault("model server", f"{path} cannot be read.", f"Remove it, then {again}")
    if not address.is_alive:
        said = f"The server of {address.model} (process {address.pid}) ended without tidying up."
        return fault("model server", said, f"rm {path}; start it again with {again}")
    began_at = time.perf_counter()
    status = ask_status(address.url, "/ping", timeout_s=ANSWER_S)
    if status == 200:
        took_ms = (time.perf_counter() - began_at) * 1e3
        return fine("model server", f"{address.model} answers at {address.url} ({took_ms:.0f} ms).")
    said = f"answers {status}" if status else f"does not answer within {ANSWER_S:g} s"
    do = f"Read logs/serving-{path.stem}.log; {again} --stop, then {again}"
    return fault("model server", f"The server of {address.model} {said} at {address.url}.", do)


def check_port(patient: Patient) -> Iterator[Finding]:
    """Look at whether the HTTP transport could listen."""
    port = DEFAULT_PORT if patient.port is None else patient.port
    if _is_free(port):
        yield fine("port", f"Port {port} is free for --transport http.")
    elif _is_ours(port):
        yield fine("port", f"A server like ours answers on port {port} already.")
    else:
        said = f"Port {port} is used by another program."
        do = f"For --transport http, take another: --port {port + 1}"
        yield note("port", said, do) if patient.port is None else fault("port", said, do)


def _is_ours(port: int) -> bool:
    """Look for names that only our servers use; one started for another host name refuses us."""
    answer = ask(f"http://127.0.0.1:{port}", "/metrics", timeout_s=ANSWER_S)
    if answer is None:
        return False
    status, body = answer
    if status == 403:
        return body.strip() == _REFUSAL
    return status == 200 and any(name in body for name in _METRICS)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
