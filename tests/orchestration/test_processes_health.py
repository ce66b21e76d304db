"""Whether workers and model servers are live and ready, told of real processes."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.doctoring.test_doctor import answering
from tests.orchestration.workflow_bench import Bench, until

from ml_orchestrator.app import build_services
from ml_orchestrator.health.status import ProcessHealth
from ml_orchestrator.orchestration import processes
from ml_orchestrator.orchestration.processes import look_at_processes
from ml_orchestrator.orchestration.workers import look_at_workers
from ml_orchestrator.serving.address import Address, write_address
from ml_orchestrator.settings import Settings


def told(settings: Settings) -> list[tuple[str, bool, bool | None]]:
    return [(each.name, each.is_live, each.is_ready) for each in look_at_processes(settings)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.read({}, project_dir=tmp_path)
    (made.home / "serving").mkdir(parents=True, mode=0o700)
    return made


def serve(settings: Settings, url: str, *, started_at: float | None = None) -> None:
    this = psutil.Process()
    born = this.create_time() if started_at is None else started_at
    write_address(settings.home, Address("ranker", url, this.pid, born, "token"))


def test_without_worker_or_model_server_there_is_nothing_to_tell(settings: Settings) -> None:
    assert told(settings) == []


def test_a_worker_that_is_stopped_is_told_from_one_that_works_and_one_that_died(
    bench: Bench,
) -> None:
    bench.finished(bench.start("tiny-stops", number=1))
    assert told(bench.settings) == [("worker", True, True)]
    assert look_at_processes(bench.settings)[0].probe_ms is not None

    (well,) = look_at_workers(bench.settings)
    leaves = processes._worker(replace(well, is_asked=True), 0.0)
    assert (leaves.is_live, leaves.is_ready) == (True, False)

    pid = bench.worker().pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: told(bench.settings) == [("worker", False, False)], what="it is silent")
    assert "has not renewed" in look_at_processes(bench.settings)[0].reason

    os.kill(pid, signal.SIGKILL)
    until(lambda: "died" in look_at_processes(bench.settings)[0].reason, what="it is dead")


@pytest.mark.parametrize(
    ("status", "is_live", "is_ready"), [(200, True, True), (503, False, False)]
)
def test_a_model_server_is_asked(
    settings: Settings, status: int, is_live: bool, is_ready: bool
) -> None:
    with answering(status) as url:
        serve(settings, url)
        (found,) = look_at_processes(settings)
    assert (found.name, found.is_live, found.is_ready) == ("serving ranker", is_live, is_ready)
    assert found.reason.startswith(
        f"it answers at {url}" if is_ready else f"/ping answers {status}"
    )
    assert found.probe_ms is not None


def test_a_model_server_that_lives_and_has_no_model_yet_is_not_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"/live": (200, ""), "/ping": (503, "no model is loaded")}
    monkeypatch.setattr(processes, "ask", lambda _, path, timeout_s: answers[path])
    monkeypatch.setattr(processes, "ask_status", lambda _, path, timeout_s: answers[path][0])
    serve(settings, "http://127.0.0.1:9")
    (found,) = look_at_processes(settings)
    assert (found.is_live, found.is_ready) == (True, False)
    assert found.reason == "/ping answers 503: no model is loaded"


def test_a_model_server_that_died_is_not_asked(settings: Settings) -> None:
    serve(settings, "http://127.0.0.1:9", started_at=1.0)
    assert told(settings) == [("serving ranker", False, False)]


async def test_the_report_says_so_of_the_whole_and_of_this_server(settings: Settings) -> None:
    serve(settings, "http://127.0.0.1:9", started_at=1.0)
    report = await build_services(settings).monitoring.health("concise")

    this, other = report.processes
    assert (this.name, this.pid, this.is_live, this.is_ready) == ("server", os.getpid(), True, None)
    assert isinstance(other, ProcessHealth)
    assert (report.status, other.is_ready) == ("degraded", False)
    assert {part.kind for part in report.components} == {"service", "component", "store"}
