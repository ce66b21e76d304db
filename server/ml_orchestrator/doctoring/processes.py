"""Are worker and model servers well, and is what they left behind true?"""

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ml_orchestrator.doctoring.databases import opened
from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration._dbos.left_behind import WHAT_TO_DO, n_left_behind
from ml_orchestrator.orchestration.launch import book_of_leases
from ml_orchestrator.orchestration.leases import Lease, LeaseBook, is_running
from ml_orchestrator.orchestration.workers import NO_WORKER, RESTART, look_at_workers
from ml_orchestrator.program import program
from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.asking import ask, ask_status
from ml_orchestrator.settings import DEFAULT_PORT
from ml_orchestrator.telemetry.page import is_ours

__all__ = [
    "check_left_runs",
    "check_port",
    "check_servers",
    "check_settings_of_worker",
    "check_worker",
]

ANSWER_S = 2.0


def check_worker(patient: Patient) -> Iterator[Finding]:
    """Look at the leases of workers."""
    try:
        leases = book_of_leases(patient.settings)
        known = leases.ours() if leases.exists() else []
    except sqlite3.DatabaseError:
        return  # the check of the files says so
    except UnavailableError as error:
        yield fault("worker", str(error), "Workers, runs and memory need this database.")
        return
    found = [lease for lease in known if lease.is_live]
    for lease in found:
        yield _about(lease, leases)
    if not found and _has_schedules(patient):
        said = "A schedule or a monitor is enabled, and no worker is at work."
        do = f"Run `{program()} worker`, or keep a server open: it starts one."
        yield note("worker", said, do)
    elif not found:
        yield fine("worker", NO_WORKER)


def _has_schedules(patient: Patient) -> bool:
    """Whether a schedule is enabled in the file, which is read as it is; not asked of Postgres."""
    path = patient.home / "state.db"
    if patient.settings.database_url is not None or not path.exists():
        return False
    enabled = "SELECT 1 FROM schedules WHERE is_enabled = 1 LIMIT 1"
    try:
        with closing(opened(path)) as connection:
            return connection.execute(enabled).fetchone() is not None
    except sqlite3.DatabaseError:
        return False  # of an earlier release, or damaged: the check of the files says so


def _about(lease: Lease, leases: LeaseBook) -> Finding:
    since = f"has not been heard of for {leases.silence_s(lease):.0f} s"
    if lease.is_here and not is_running(lease):
        do = f"Run `{program()} worker`, or ask a run's status: the next takes over its runs."
        return fault("worker", f"Worker {lease.pid} died ({since}); its runs wait.", do)
    if not leases.is_silent(lease):
        return fine("worker", f"Process {lease.pid} on {lease.host} is at work.")
    if lease.is_here:
        do = f"kill {lease.pid}, or start a run: the next worker ends it and takes over its runs."
        return fault("worker", f"Worker {lease.pid} {since} but still runs: it hangs.", do)
    do = f"Look at {lease.host}. If it is gone, the next worker here takes over its runs."
    return note("worker", f"Worker {lease.pid} on {lease.host} {since}.", do)


def check_settings_of_worker(patient: Patient) -> Iterator[Finding]:
    """Look at whether workers began with what is set here; they keep what they began with."""
    found = []
    with suppress(UnavailableError):  # the check of workers says so
        found = look_at_workers(patient.settings)
    for worker in found:
        if worker.is_well and worker.differs:
            where = "" if worker.lease.is_here else f"On {worker.lease.host}: "
            said = f"Process {worker.lease.pid} began with another {', '.join(worker.differs)}."
            yield note("worker", said, f"{where}{RESTART}")


def check_left_runs(patient: Patient) -> Iterator[Finding]:
    """Look for runs in a file that no worker looks at, since runs are kept in Postgres."""
    if n_left := n_left_behind(patient.settings):
        said = f"{n_left} unfinished runs are in {patient.home / 'workflows.db'}, and nobody is at "
        yield fault("worker", f"{said}them: runs are kept in Postgres now.", WHAT_TO_DO)


def check_servers(patient: Patient) -> Iterator[Finding]:
    """Look at whether model servers answer where their files say they are."""
    for path in sorted(patient.home.glob("serving/*.json")):
        yield _about_server(path)


def _about_server(path: Path) -> Finding:
    again = f"{program()} serve --model {path.stem}"
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
    elif _is_taken_by_us(port):
        yield fine("port", f"A server like ours answers on port {port} already.")
    else:
        said = f"Port {port} is used by another program."
        do = f"For --transport http, take another: --port {port + 1}"
        yield note("port", said, do) if patient.port is None else fault("port", said, do)


def _is_taken_by_us(port: int) -> bool:
    answer = ask(f"http://127.0.0.1:{port}", "/metrics", timeout_s=ANSWER_S)
    return answer is not None and is_ours(*answer)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
