"""Runs that go on after they failed or were cancelled, and what a terminal shows of them."""

import json
from pathlib import Path

import pytest
from tests.orchestration.workflow_bench import Bench, until

from ml_orchestrator.cli import main
from ml_orchestrator.errors import ConflictError, NotFoundError


def runs(bench: Bench, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(bench.settings.home), "runs", *arguments])
    return int(ended.value.code or 0)


def test_a_failed_run_goes_on_with_the_step_that_failed(shared: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "mended"
    run_id = shared.start("tiny-mended", gate=str(gate), number=4)
    failed = shared.finished(run_id)
    n_doubled = len(shared.entries("double"))
    unmended = shared.finished(shared.client.resume(run_id).run_id)
    gate.touch()
    mended = shared.finished(shared.client.resume(unmended.run_id).run_id)

    assert (failed.state, failed.error) == ("failed", "Not mended yet.")
    assert (unmended.run_id, unmended.state) == (f"{run_id}.2", "failed")
    assert (mended.run_id, mended.state) == (f"{run_id}.3", "succeeded")
    assert mended.result == {"doubled": 8, "passed": 9, "answer": 9}
    assert [step.state for step in mended.steps] == ["succeeded"] * 3
    assert len(shared.entries("double")) == n_doubled
    assert [entry["run_id"] for entry in shared.entries("mending")] == [run_id] * 3
    linked = failed.model_copy(update={"resumed_as": unmended.run_id})
    assert shared.client.status(run_id) == linked
    with pytest.raises(ConflictError, match=rf"resumed before, as {run_id}\.2"):
        shared.client.resume(run_id)
    with pytest.raises(ConflictError, match="needs no resuming: it is succeeded"):
        shared.client.resume(mended.run_id)


def test_a_cancelled_run_goes_on_under_its_own_id(shared: Bench, tmp_path: Path) -> None:
    gate, n_before = tmp_path / "gate", len(shared.entries("gate"))
    run_id = shared.start("tiny", gate=str(gate), number=5)
    shared.entry("gate", number=n_before + 1)
    n_doubled = len(shared.entries("double"))
    with pytest.raises(ConflictError, match="needs no resuming: it is running"):
        shared.client.resume(run_id)
    shared.client.cancel(run_id)
    gate.touch()
    resumed = shared.client.resume(run_id)
    after = shared.finished(run_id)

    assert resumed.run_id == run_id
    assert after.result == {"doubled": 10, "passed": 11, "answer": 11}
    assert len(shared.entries("double")) == n_doubled


def test_only_a_run_that_there_is_can_be_resumed(shared: Bench) -> None:
    with pytest.raises(NotFoundError, match="No run named 'run-none'"):
        shared.client.resume("run-none")


def test_a_terminal_lists_shows_cancels_and_resumes_runs(
    shared: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "mended"
    run_id = shared.start("tiny-mended", gate=str(gate), number=6)
    shared.finished(run_id)
    assert runs(shared, "show", run_id) == 1
    failed = capsys.readouterr().out
    gate.touch()
    assert runs(shared, "resume", run_id, "--json") == 0
    resumed = json.loads(capsys.readouterr().out)
    assert runs(shared, "show", resumed["run_id"], "--watch") == 0
    watched = capsys.readouterr().out
    assert runs(shared, "list", "--limit", "1") == 0
    listed = capsys.readouterr().out.splitlines()
    assert runs(shared, "cancel", run_id) == 1
    refused = capsys.readouterr().err

    assert failed.splitlines()[0] == f"{run_id}  tiny-mended  failed  (by tester)"
    assert [line.split()[:3] for line in failed.splitlines()[1:4]] == [
        ["+", "tiny-double", "succeeded"],
        ["!", "tiny-mending", "failed"],
        ["-", "tiny-finish", "skipped"],
    ]
    resume = f"ml-orchestrator runs resume {run_id}"
    assert failed.splitlines()[4:] == [
        "  why: Not mended yet.",
        f"  From the failed step on, once its cause is gone: {resume}",
    ]
    assert resumed["run_id"] == f"{run_id}.2"
    assert "succeeded  (by tester)" in watched
    assert watched.splitlines()[1] == f"  goes on from {run_id}, which failed"
    assert watched.splitlines()[-1].split() == ["answer", "13"]
    assert listed[0].split()[:3] == [f"{run_id}.2", "succeeded", "tiny-mended"]
    assert "More: ml-orchestrator runs list --cursor" in listed[-1]
    assert "cannot be cancelled: it has failed" in refused


def test_the_log_of_one_run_has_its_lines_only(
    shared: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = shared.start("tiny-breaks"), shared.start("tiny-breaks")
    shared.finished(one)
    shared.finished(other)
    until(lambda: other in (shared.settings.home / "logs/worker.log").read_text(), what="logged")
    capsys.readouterr()
    assert runs(shared, "logs", one) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line["message"] for line in lines if "begins" in line["message"]] == [
        f"Step tiny-break of run {one} begins"
    ]
    assert {line["run_id"] for line in lines if "traceback" in line} == {one}
    assert not [line for line in lines if other in line["message"].split()]


def test_without_a_worker_there_is_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "runs", "logs"])
    assert ended.value.code == 1
    assert "No worker has logged anything" in capsys.readouterr().err
