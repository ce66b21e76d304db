"""A data directory with real workers for the tests, cleaned up whatever happens."""

import json
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psutil
import tests.orchestration.tiny_workflows as tiny

from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.orchestration.leases import Lease, is_running
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.settings import Settings

LIMIT_S = 60.0


def until(holds: Callable[[], bool], *, what: str) -> None:
    """Poll until ``holds``, within a generous limit."""
    give_up_at = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"never happened: {what}"
        time.sleep(0.02)


class Bench:
    """One data directory, its client, and a look at its processes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = RunClient(settings)
        self.leases = worker_leases(settings)
        self.ledger = settings.home / "ledger"
        self._count = 0

    def start(self, workflow: str, **params: object) -> str:
        self._count += 1
        given = dict(params)
        if "ledger" in WORKFLOWS[workflow].params.model_fields:
            given["ledger"] = str(self.ledger)
        checked = validated(WORKFLOWS[workflow], given)
        run_id = f"run-{self._count}"
        self.client.start(run_id, WORKFLOWS[workflow], checked, actor="tester")
        self.client.wake()
        return run_id

    def finished(self, run_id: str) -> RunStatus:
        """Wait for the end of a run, waking workers like every status call does."""

        def is_over() -> bool:
            self.client.wake()
            return self.client.status(run_id).is_over

        until(is_over, what=f"{run_id} is over")
        return self.client.status(run_id)

    def entries(self, step: str) -> list[dict[str, object]]:
        """Return the ledger's lines about ``step``."""
        if not self.ledger.exists():
            return []
        lines = map(json.loads, self.ledger.read_text().splitlines())
        return [line for line in lines if line["step"] == step]

    def entry(self, step: str, *, number: int = 1) -> dict[str, object]:
        """Wait until ``step`` has begun ``number`` times and return that line."""

        def has_begun() -> bool:
            self.client.wake()
            return len(self.entries(step)) >= number

        until(has_begun, what=f"{step} begins")
        return self.entries(step)[number - 1]

    def worker(self) -> Lease:
        """Return the one living worker's lease."""
        (lease,) = [x for x in self.leases.all() if x.is_live and is_running(x)]
        return lease

    def close(self) -> None:
        self.client.close()
        stop_workers(self.settings.home)


def stop_workers(home: Path) -> None:
    """Kill what this test process started for ``home``, whether it has a lease yet or not."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if process.environ().get("ML_ORCHESTRATOR_HOME") == str(home):
                process.kill()
                process.wait(LIMIT_S)


def is_gone(pid: object) -> bool:
    """Whether a process has ended."""
    assert isinstance(pid, int)
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def settings_of(home: Path, plugin: str, **given: object) -> Settings:
    """Return settings of a data directory whose worker loads a plug-in."""
    return Settings.read(
        {}, home=home, project_dir=home, plugins=(plugin,), log_level="INFO", **given
    )


def open_bench(home: Path, **given: object) -> closing[Bench]:
    """Open a bench, which ends its workers when it is left."""
    return closing(Bench(settings_of(home, tiny.__name__, **given)))
