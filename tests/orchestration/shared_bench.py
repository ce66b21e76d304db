"""Data directories that share a Postgres, with real workers, and the ledger of what those did."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tests.orchestration.shared_workflows as shared
from sqlalchemy import update
from tests.orchestration.workflow_bench import settings_of, stop_workers, until

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.sharing.leases import SharedLease, SharedLeases, is_running
from ml_orchestrator.orchestration.sharing.opening import open_leases
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.schema import worker_leases

__all__ = ["TTL_S", "Site", "Sites", "open_sites"]

TTL_S = 2.0


class Site:
    """One data directory."""

    def __init__(self, settings: Settings, ledger: Path) -> None:
        self.settings = settings
        self.client = RunClient(settings)
        self.leases: SharedLeases = open_leases(settings)
        self._ledger = ledger
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, run_id: str, workflow: str = "tiny-shared", **params: object) -> RunStatus:
        checked = validated(WORKFLOWS[workflow], {"ledger": str(self._ledger), **params})
        return self.client.start(run_id, WORKFLOWS[workflow], checked, actor="tester")

    def start_worker(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start a worker and wait until it has a lease."""
        log = self.settings.home / "worker.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ml_orchestrator", "worker", *options],
                env=child_environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._processes.append(process)
        until(lambda: process.pid in {x.pid for x in self.workers()}, what="a worker is there")
        return process

    def workers(self) -> list[SharedLease]:
        """Return the leases of this directory's workers that run."""
        return [x for x in self.leases.ours() if x.is_live and is_running(x)]

    def put_elsewhere(self, pid: int) -> None:
        """Have the lease of a worker say that its process is on another machine."""
        (lease,) = [x for x in self.leases.ours() if x.pid == pid]
        moved = update(worker_leases).where(worker_leases.c.executor_id == lease.executor_id)
        with self.leases._rows() as connection:
            connection.execute(moved.values(machine="elsewhere", host="elsewhere"))

    def close(self) -> None:
        self.client.close()
        for process in self._processes:
            process.kill()
            process.wait()
        stop_workers(self.settings.home)  # and what those have left

    def finished(self, run_id: str) -> RunStatus:
        until(lambda: self.client.status(run_id).is_over, what=f"{run_id} is over")
        return self.client.status(run_id)


class Sites:
    """Data directories, and the one ledger that all their steps write into."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self.ledger = folder / "ledger"
        self._open: list[Site] = []

    def site(self, name: str, **given: Any) -> Site:
        home = self._folder / name
        home.mkdir(exist_ok=True)
        values = {"worker_idle_s": 60, "lease_ttl_s": TTL_S, "database_url": self._url, **given}
        opened = Site(settings_of(home, shared.__name__, **values), self.ledger)
        self._open.append(opened)
        return opened

    def entries(self, **wanted: object) -> list[dict[str, Any]]:
        """Return the ledger's lines with these values."""
        text = self.ledger.read_text(encoding="utf-8") if self.ledger.exists() else ""
        found = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [x for x in found if all(x[name] == value for name, value in wanted.items())]

    def close(self) -> None:
        for site in self._open:
            site.close()


@contextmanager
def open_sites(folder: Path, url: str) -> Iterator[Sites]:
    """Open a bench of data directories, whose workers end when it is left."""
    sites = Sites(folder, url)
    try:
        yield sites
    finally:
        sites.close()
