"""What workers log is followed in a terminal as it comes."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from ml_orchestrator import run_logs
from ml_orchestrator.orchestration.retention.logs import cut_log
from ml_orchestrator.run_logs import show_logs
from ml_orchestrator.settings import Settings

LIMIT_S = 60


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
    return str(json.loads(output.readline())["message"])


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
