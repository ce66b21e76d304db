"""Workers that die, hang, meet one another or have nothing to do."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.orchestration.workflow_bench import Bench, is_gone, open_bench, until

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration import worker
from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.leases import is_running
from ml_orchestrator.orchestration.statuses import GIVEN_UP
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

WORKER = [sys.executable, "-m", "ml_orchestrator", "worker"]


def test_a_run_survives_the_sudden_death_of_its_worker(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run_id = bench.start("tiny", gate=str(gate), number=4)
    orphan = bench.entry("gate")

    os.kill(bench.worker().pid, signal.SIGKILL)
    until(lambda: is_gone(orphan["pid"]) and is_gone(orphan["grandchild"]), what="no orphans")
    bench.entry("gate", number=2)
    gate.touch()
    status = bench.finished(run_id)

    assert status.result == {"doubled": 8, "passed": 9, "answer": 9}
    assert [len(bench.entries(step)) for step in ("double", "gate", "finish")] == [1, 2, 1]


def test_a_worker_that_hangs_is_killed_before_its_run_is_taken_over(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = bench.start("tiny", gate=str(gate))
    first = bench.entry("gate")
    frozen = bench.worker()

    os.kill(frozen.pid, signal.SIGSTOP)
    bench.entry("gate", number=2)

    assert not is_running(frozen)
    assert is_gone(first["pid"])
    gate.touch()
    assert bench.finished(run_id).state == "succeeded"
    assert len(bench.entries("double")) == 1


def test_a_worker_that_lost_its_lease_ends_itself_and_its_child(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = bench.start("tiny", gate=str(gate))
    first = bench.entry("gate")
    outlawed = bench.worker()

    until(lambda: any(map(bench.leases.revoke, bench.leases.all())), what="it is revoked")
    until(lambda: not is_running(outlawed) and is_gone(first["pid"]), what="both have gone")
    gate.touch()

    assert "The lease is lost" in (bench.settings.home / "logs" / "worker.log").read_text()
    assert bench.finished(run_id).state == "succeeded"
    assert len(bench.entries("double")) == 1


def test_a_worker_tells_of_a_run_that_was_given_up(bench: Bench) -> None:
    run_id = bench.start("tiny-stops", number=0)
    bench.finished(run_id)
    with closing(sqlite3.connect(bench.settings.home / "workflows.db")) as rows, rows:
        rows.execute("UPDATE workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'")
    with closing(open_database(bench.settings.state_url, bench.settings.home)) as database:
        log = EventLog(database)
        until(lambda: bool(log.last(limit=1, names=["run.failed"])), what="it is told of")
        (event,) = log.last(limit=5, names=["run.failed"])

    assert (event.key, json.loads(event.payload)["error"]) == (f"run:{run_id}", GIVEN_UP)


def test_of_three_workers_started_together_one_stays(bench: Bench) -> None:
    workers = [
        subprocess.Popen(
            WORKER,
            env=child_environment(bench.settings),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    try:
        until(lambda: sum(w.poll() is not None for w in workers) == 2, what="two leave")
        alive = [w.pid for w in workers if w.poll() is None]
        assert [w.returncode for w in workers if w.returncode is not None] == [0, 0]
        assert [bench.worker().pid] == alive
        assert len(bench.leases.all()) == 1
    finally:
        for worker in workers:
            worker.kill()
            printed, _ = worker.communicate()
            assert printed == b""


def test_an_idle_worker_leaves_and_the_next_run_gets_another(tmp_path: Path) -> None:
    with open_bench(tmp_path, worker_idle_s=1) as bench:
        bench.finished(bench.start("tiny-stops", number=0))
        first = bench.worker()
        until(lambda: not is_running(first), what="the worker leaves")
        status = bench.finished(bench.start("tiny-stops", number=0))

        assert status.state == "succeeded"
        assert bench.worker().pid != first.pid


def test_two_clients_may_open_one_fresh_data_directory(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from ml_orchestrator.orchestration._dbos.client import RunClient\n"
        "from ml_orchestrator.settings import Settings\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "client = RunClient(Settings.read({}, home=home, project_dir=home))\n"
        "print(client.runs(limit=1, cursor=None).runs)\n"
        "client.close()\n"
    )
    opened = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(tmp_path / "home")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    answers = [(*process.communicate(timeout=60), process.returncode) for process in opened]

    assert answers == [(b"[]\n", b"", 0)] * 2


def test_old_runs_are_removed_in_one_thread_beside_the_work_and_a_defect_there_ends_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[tuple[str, str]] = []
    cut: list[str] = []

    class Breaking:
        def __init__(self, *_: object) -> None:
            self._note("opened")

        def _note(self, what: str) -> None:
            done.append((what, threading.current_thread().name))

        def sweep(self) -> None:
            self._note("swept")
            if len(done) == 3:
                raise RuntimeError("a defect")

        def close(self) -> None:
            self._note("closed")

    class Cutting:
        def __init__(self, log: Path) -> None:
            self._name = log.name

        def look(self) -> None:
            cut.append(self._name)
            if len(cut) == 5:
                raise RuntimeError("another defect")

    monkeypatch.setattr(worker, "Pruner", Breaking)
    monkeypatch.setattr(worker, "LogKeeper", Cutting)
    monkeypatch.setattr(worker, "LOOK_S", 0.001)
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    database = open_database(settings.state_url, tmp_path)
    pruning = worker._start_pruning(settings, database, threading.Event())
    pruning.join(30)

    assert [what for what, _ in done] == ["opened", "swept", "swept", "closed"]
    assert {name for _, name in done} == {"pruner"}
    assert cut == ["worker.log"] * 5  # what ends one of them is nothing to the other
    assert "removes old runs no more" in caplog.text
    assert "cuts its log no more" in caplog.text
    database.close()
