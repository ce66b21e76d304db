"""What workers log is followed in a terminal as it comes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from ml_orchestrator import run_logs, running
from ml_orchestrator.cli import main
from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.retention.logs import LogKeeper, cut_log
from ml_orchestrator.run_logs import LOOKS_PER_STATE, show_logs
from ml_orchestrator.settings import Settings

LIMIT_S = 60
SPEC = {"name": "one", "steps": {"a": {"uses": "require", "with": {"value": 1}}}}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "worker.log"
    path.parent.mkdir()
    path.write_text(line("run-1", "The first."))
    return path


def line(run_id: str, message: str) -> str:
    return json.dumps({"run_id": run_id, "message": message}) + "\n"


@pytest.fixture
def following(tmp_path: Path, log: Path) -> Iterator["subprocess.Popen[str]"]:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    with closing(RunClient(settings)) as client:
        client.start_pipeline("run-1.2", plan_pipeline(SPEC, {}, settings), actor="tester")
    words = ["--home", str(tmp_path), "runs", "logs", "run-1.2", "--follow"]
    command = subprocess.Popen(
        [sys.executable, "-m", "ml_orchestrator", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = threading.Timer(LIMIT_S, command.kill)
    limit.start()
    yield command
    limit.cancel()
    command.kill()
    command.communicate()


def next_of(output: IO[str]) -> str:
    got = output.readline()
    assert got.endswith("\n"), f"the command ended, or its {LIMIT_S} s were over: {got!r}"
    return str(json.loads(got)["message"])


def test_lines_of_a_run_are_shown_as_they_come_until_control_c(
    following: "subprocess.Popen[str]", log: Path
) -> None:
    output = following.stdout
    assert output is not None
    seen = [next_of(output)]
    with log.open("a") as writing:
        writing.write(line("run-2", "Another's.") + line("run-1", "The second."))
    seen.append(next_of(output))
    log.write_text(line("run-1", "New."))  # it was emptied meanwhile
    seen.append(next_of(output))
    following.send_signal(signal.SIGINT)
    _, errors = following.communicate()

    assert seen == ["The first.", "The second.", "New."]
    assert (following.returncode, errors) == (130, "")


def test_following_ends_with_the_run_after_its_last_lines(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    planned = plan_pipeline(SPEC, {}, settings)
    with closing(RunClient(settings)) as client:
        client.start_pipeline("run-1", planned, actor="tester")
        looks = 0

        def pause(_: float) -> None:
            nonlocal looks
            looks += 1
            assert looks < 5 * LOOKS_PER_STATE, "it goes on although the run is over"
            if looks == 2:
                client.cancel("run-1")
            if looks == LOOKS_PER_STATE + 1:  # the run was seen to be over
                with log.open("a") as writing:
                    writing.write(line("run-1", "The last."))

        monkeypatch.setattr(run_logs, "time", SimpleNamespace(sleep=pause))
        words = ["--home", str(tmp_path), "runs", "logs", "run-1", "--follow"]
        with pytest.raises(SystemExit) as ended:
            main(words)

    assert (ended.value.code, looks) == (0, LOOKS_PER_STATE + 1)
    assert capsys.readouterr().out == line("run-1", "The first.") + line("run-1", "The last.")


def test_a_run_that_is_not_there_is_not_followed(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_logs, "time", SimpleNamespace(sleep=lambda _: pytest.fail("followed")))
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), "runs", "logs", "run-12", "--follow"])

    assert ended.value.code not in (0, None)
    assert "run-12" in capsys.readouterr().err


def test_following_ends_when_the_run_is_removed() -> None:
    async def look(_: str) -> None:
        raise NotFoundError("It was removed.")

    services: Any = SimpleNamespace(workflow=SimpleNamespace(look=look))
    assert running._is_over(services, "run-1")


def test_a_line_that_is_being_written_is_shown_once_it_is_whole(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half, rest = line("run-1", "The second.").split(" ", 1)
    with log.open("a") as writing, log.open() as reading:
        writing.write(f"{half} ")
        writing.flush()
        n_before = run_logs._print_lines(reading, "run-1")
        writing.write(rest)
        writing.flush()
        n_after = run_logs._print_lines(reading, "run-1")

    assert (n_before, n_after) == (1, 1)
    assert capsys.readouterr().out == line("run-1", "The first.") + line("run-1", "The second.")


def test_a_log_that_is_large_is_emptied_for_its_writers_and_its_lines_are_still_shown(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    with log.open("a") as writing:
        size = log.stat().st_size
        assert [cut_log(log, most_bytes=most) for most in (size, size - 1)] == [False, True]
        writing.write(line("run-1", "The second."))
    show_logs(settings, "run-1", follows=False)
    told = capsys.readouterr().out
    cut_log(log, most_bytes=1)
    show_logs(settings, "run-1", follows=False)

    assert told == line("run-1", "The first.") + line("run-1", "The second.")
    assert capsys.readouterr().out == line("run-1", "The second.")  # what was older is gone
    assert log.stat().st_size == 0


def test_what_was_taken_out_of_a_log_is_for_the_same_readers(log: Path) -> None:
    older = log.with_name("worker.log.1")
    before = os.umask(0o022)
    try:
        for mode in (0o600, 0o640):
            log.chmod(mode)
            log.write_text("A line.\n")
            assert cut_log(log, most_bytes=1)
            assert older.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def test_a_log_that_cannot_be_cut_is_left_alone_for_a_minute_and_that_is_told_once(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now, older, draft = 0.0, log.with_name("worker.log.1"), log.with_name("worker.log.draft")
    in_the_way = older / "file"
    older.mkdir()
    in_the_way.touch()
    keeper = LogKeeper(log, most_bytes=1, clock=lambda: now)
    for moment in (0.0, 30.0, 60.0, 90.0):
        now = moment
        keeper.look()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert log.read_text() == line("run-1", "The first.")
    assert not draft.exists()

    in_the_way.unlink()
    older.rmdir()
    now = 119.0
    keeper.look()
    assert not older.exists()  # the try at 60 s was the last one
    now = 120.0
    keeper.look()
    assert older.read_text() == line("run-1", "The first.")
    assert log.read_text() == ""
