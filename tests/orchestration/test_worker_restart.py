"""A worker that is asked to leave finishes what it is at, and another one goes on with the runs."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import new_postgres_url
from tests.orchestration.shared_bench import Sites, open_sites
from tests.orchestration.workflow_bench import LIMIT_S, Bench, open_bench, until

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.cli import main
from ml_orchestrator.doctoring.findings import Patient
from ml_orchestrator.doctoring.processes import check_settings_of_worker
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.orchestration.leases import is_running, kill
from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.processes import look_at_processes
from ml_orchestrator.orchestration.schedules import Cadence, Schedules
from ml_orchestrator.orchestration.workers import NO_WORKER, look_at_workers
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.working import run_working


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bench]:
    """A data directory whose workers may have been started by a command that has ended."""
    with open_bench(tmp_path, worker_idle_s=60, lease_ttl_s=5.0) as bench:
        yield bench
        for lease in bench.leases.all():
            kill(lease, wait_s=LIMIT_S)


def worker_command(settings: Settings, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "ml_orchestrator", "worker", *words],
        env=child_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(command: "subprocess.Popen[str]") -> tuple[int, str]:
    printed, errors = command.communicate(timeout=LIMIT_S)
    assert command.returncode in (0, 1), errors
    return command.returncode, printed


def have_heard(log: Path, *, n_workers: int = 1) -> bool:
    """Whether workers know that they were asked to leave: no step begins there any more."""
    return log.read_text().count("was asked to leave") == n_workers


def test_a_restarted_worker_has_the_settings_of_now_and_goes_on_where_the_run_was(
    own: Bench, tmp_path: Path
) -> None:
    gate, wanted = tmp_path / "gate", own.settings.with_values({"max_data_bytes": 5_000_000})
    run_id = own.start("tiny", gate=str(gate), number=4)
    at_gate, old = own.entry("gate"), own.worker()
    (before,) = look_at_workers(wanted)

    command = worker_command(wanted, "restart")
    log = own.settings.home / "logs" / "worker.log"
    until(lambda: have_heard(log), what="it knows that it was asked to leave")
    assert is_running(old)
    assert [worker.is_asked for worker in look_at_workers(own.settings)] == [True]
    gate.touch()
    code, printed = said(command)
    until(lambda: own.client.status(run_id).is_over, what="the run is over")

    new = own.worker()
    assert (code, printed) == (0, f"Process {new.pid} on {new.host} is at work\n")
    assert before.differs == ("max_data_bytes",)
    assert [worker.differs for worker in look_at_workers(wanted)] == [()]
    assert own.client.status(run_id).result == {"doubled": 8, "passed": 9, "answer": 9}
    assert [len(own.entries(step)) for step in ("double", "gate", "finish")] == [1, 1, 1]
    assert (at_gate["parent"], own.entries("finish")[0]["pid"]) == (old.pid, new.pid)


def test_a_worker_that_began_otherwise_is_told_by_name_with_what_mends_it(
    own: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own.finished(own.start("tiny-stops", number=0))
    pid = own.worker().pid
    for name, value in own.settings.to_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ML_ORCHESTRATOR_TRACKING_URI", "mysql://user:secret@tracking.example/ml")
    settings = Settings.read()
    told = "it began with another registry_uri, tracking_uri than is set here; to give it these: "

    with pytest.raises(SystemExit):
        main(["runs", "list"])
    assert capsys.readouterr().err == f"Worker {pid}: {told}ml-orchestrator worker restart\n"
    (process,) = look_at_processes(settings)
    assert process.is_ready
    assert process.reason.endswith(f"{told}ml-orchestrator worker restart")
    (found,) = check_settings_of_worker(Patient(settings, os.environ))
    assert (found.state, found.said, found.do) == (
        "note",
        f"Process {pid} began with another registry_uri, tracking_uri.",
        "ml-orchestrator worker restart",
    )
    assert list(check_settings_of_worker(Patient(own.settings, os.environ))) == []


def test_a_step_that_only_waits_is_cut_and_goes_on_in_the_next_worker(
    own: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = own.start("tiny-waits", gate=str(gate))
    old = own.entry("waiting")["pid"]

    assert said(worker_command(own.settings, "stop")) == (0, f"Process {old} has left.\n")
    assert said(worker_command(own.settings, "status"))[1] == f"{NO_WORKER}\n"
    own.entry("waiting", number=2)
    gate.touch()

    assert own.finished(run_id).state == "succeeded"
    assert [len(own.entries(step)) for step in ("double", "waiting", "finish")] == [1, 2, 1]


def test_who_stops_a_worker_that_a_schedule_wants_is_told_that_one_will_follow(
    own: Bench, tmp_path: Path
) -> None:
    daily = Cadence(cron="0 3 * * *")
    with closing(open_database(own.settings.state_url, own.settings.home)) as database:
        Schedules(database).put("test-note", "job", daily, owner="ann")
    gate = tmp_path / "gate"
    run_id = own.start("tiny-waits", gate=str(gate))
    own.entry("waiting")

    code, told = said(worker_command(own.settings, "stop"))
    assert code == 0
    assert "a server that runs starts a worker for it" in told
    gate.touch()
    own.client.wake()
    assert own.finished(run_id).state == "succeeded"


def test_a_pipeline_that_waits_for_a_person_goes_on_in_the_next_worker(own: Bench) -> None:
    asking = {"ask": {"uses": "approval", "with": {"question": "Go on?"}}}
    planned = plan_pipeline({"name": "asking", "steps": asking}, {}, own.settings)
    own.client.start_pipeline("run-1", planned, actor="tester")
    own.client.wake()
    with closing(open_database(own.settings.state_url, own.settings.home)) as database:
        persons = open_approvals(database)
        until(lambda: persons.pending() != (), what="a person is asked")
        (asked,), old = persons.pending(), own.worker().pid

        assert said(worker_command(own.settings, "stop")) == (0, f"Process {old} has left.\n")
        assert own.client.status("run-1").state == "running"
        persons.decide(asked.id, "approved", decided_by="ann", via="terminal")

        assert own.finished("run-1").state == "succeeded"
        assert [each.id for each in persons.recent()] == [asked.id]


def test_a_worker_that_is_to_leave_now_is_cut_off_and_its_step_is_done_again(
    own: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = own.start("tiny", gate=str(gate))
    own.entry("gate")
    old = own.worker()

    assert said(worker_command(own.settings, "restart", "--now"))[0] == 0
    assert not is_running(old)
    until(lambda: len(own.entries("gate")) == 2, what="the step begins again")
    gate.touch()

    assert own.finished(run_id).state == "succeeded"
    assert [len(own.entries(step)) for step in ("double", "finish")] == [1, 1]


@pytest.fixture
def sites(tmp_path: Path, postgres_server: str) -> Iterator[Sites]:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as opened:
        yield opened


def test_two_workers_on_postgres_leave_and_what_they_were_at_is_not_done_again(
    sites: Sites, tmp_path: Path
) -> None:
    site, gate = sites.site("left", lease_ttl_s=10.0), tmp_path / "gate"
    old = [site.start_worker(), site.start_worker("--beside")]
    runs = [f"run-{number}x" for number in range(6)]
    for run_id in runs:
        site.start(run_id, gate=str(gate))
    until(lambda: len(sites.entries(what="begun")) == 4, what="both have their hands full")

    command = worker_command(site.settings, "stop")
    log = site.settings.home / "worker.log"
    until(lambda: have_heard(log, n_workers=2), what="both know that they were asked to leave")
    gate.touch()
    assert said(command)[0] == 0
    assert [process.wait(LIMIT_S) for process in old] == [0, 0]
    n_before = len(sites.entries(what="begun"))
    new = site.start_worker()

    assert [site.finished(run_id).state for run_id in runs] == ["succeeded"] * len(runs)
    begun = [(x["run"], x["step"]) for x in sites.entries(what="begun")]
    assert sorted(begun) == sorted((run_id, step) for run_id in runs for step in ("one", "two"))
    assert n_before == 4
    assert {x["pid"] for x in sites.entries(what="begun")[n_before:]} == {new.pid}


def test_nobody_ends_or_starts_a_worker_in_an_installation_that_only_reads(tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path, mode="read-only")
    arguments = _arguments("restart")
    with pytest.raises(PermissionDeniedError, match="read-only"):
        run_working(arguments, settings)


def _arguments(act: str) -> argparse.Namespace:
    return argparse.Namespace(act=act, now=False)
