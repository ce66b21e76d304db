"""Small files of a run, read back from the disk or from a server that may lie."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.flowers import log_flowers, open_tracker
from tests.registry.hostile_server import (
    API,
    FILES,
    GOOD,
    RUN,
    HostileServer,
    drip,
    hostile_server,
    pour,
)

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.lifecycle import _mlflow
from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.storage._mlflow import files

FILE = FILES + "/1/run/summary.json"
GET = API + "runs/get"


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with hostile_server() as opened:
        yield opened


@pytest.fixture
def tracker(
    server: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MlflowTracker:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server.answers = dict(GOOD)
    return MlflowTracker(server.address, tmp_path / "home")


def test_a_file_is_read_from_the_disk_and_from_a_server(home: Path, tracker: MlflowTracker) -> None:
    logged = log_flowers(home, "run-1")
    assert open_tracker(home).read_file(logged.run_id, "plots/roc.png") == b"\x89PNG"
    assert tracker.read_file(RUN, "summary.json") == b"{}"


@pytest.mark.parametrize(
    "name", ["", "../summary.json", "/etc/passwd", "a/../b", "a//b", ".hidden", "a\\b", "a\0", "?"]
)
def test_a_name_that_leads_elsewhere_is_refused_before_anybody_is_asked(
    server: HostileServer, tracker: MlflowTracker, name: str
) -> None:
    n_before = len(server.asked)
    with pytest.raises(InvalidInputError, match="cannot name a file of a run"):
        tracker.read_file(RUN, name)
    assert len(server.asked) == n_before


def hang_up(asked: Any) -> None:
    asked.connection.close()


ANSWERS: dict[str, tuple[str, Any, type[OrchestratorError]]] = {
    "no such run": (GET, (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}'), NotFoundError),
    "no such file": (FILE, (404, b"{}"), NotFoundError),
    "forbidden": (FILE, (403, b"{}"), UnavailableError),
    "moved": (FILE, (302, b""), UnavailableError),
    "fails": (FILE, (500, b"{}"), UnavailableError),
    "run fails": (GET, (500, b"{}"), UnavailableError),
    "hangs up": (FILE, hang_up, UnavailableError),
    "run hangs up": (GET, hang_up, UnavailableError),
    "no json": (GET, (200, b"<html>"), UnavailableError),
    "another shape": (GET, (200, b'{"run": "x"}'), IntegrityViolationError),
    "run of words": (GET, (200, b'{"run": {"info": {"start_time": "soon"}}}'), UnavailableError),
    "no place": (GET, (200, b'{"run": {"info": {}}}'), IntegrityViolationError),
    "elsewhere": (
        GET, (200, b'{"run": {"info": {"artifact_uri": "s3://b/x"}}}'), IntegrityViolationError
    ),
    "without end": (FILE, pour, IntegrityViolationError),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_only_what_is_not_there_is_not_found(
    server: HostileServer, tracker: MlflowTracker, name: str
) -> None:
    path, answer, kind = ANSWERS[name]
    given = answer if callable(answer) else lambda asked: asked.say(*answer)
    server.answers[path] = given
    with pytest.raises(OrchestratorError) as refused:
        tracker.read_file(RUN, "summary.json")
    assert type(refused.value) is kind
    assert len(str(refused.value)) < 600


def test_a_dead_server_is_away(tmp_path: Path, tracker: MlflowTracker) -> None:
    with hostile_server() as opened:
        dying = MlflowTracker(opened.address, tmp_path / "home")
    with pytest.raises(UnavailableError):
        dying.read_file(RUN, "summary.json")


def test_a_slow_server_is_given_up(
    server: HostileServer, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_ANSWER_S", 0.3)
    server.answers[FILE] = drip
    with pytest.raises(UnavailableError, match="sends too slowly"):
        tracker.read_file(RUN, "summary.json")


def test_a_server_that_says_nothing_is_away(
    server: HostileServer, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    over = threading.Event()
    server.answers[FILE] = lambda _: over.wait(60) and None
    try:
        with pytest.raises(UnavailableError, match="ReadTimeoutError"):
            tracker.read_file(RUN, "summary.json")
    finally:
        over.set()


def test_on_the_disk_too_only_a_plain_small_file_of_the_run_is_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = log_flowers(home, "run-1")
    tracker = open_tracker(home)
    (file,) = home.glob("mlartifacts/**/summary.json")
    with pytest.raises(NotFoundError, match=r"no file 'other\.json'"):
        tracker.read_file(logged.run_id, "other.json")
    with pytest.raises(NotFoundError, match="no file 'plots'"):
        tracker.read_file(logged.run_id, "plots")
    with pytest.raises(NotFoundError):
        tracker.read_file("0" * 32, "summary.json")
    monkeypatch.setattr(_mlflow, "MAX_FILE_BYTES", 1)
    with pytest.raises(IntegrityViolationError, match="more than 1 bytes"):
        tracker.read_file(logged.run_id, "summary.json")
    secret = tmp_path / "secret"
    secret.touch()
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(IntegrityViolationError, match="not a directory inside the artifact root"):
        tracker.read_file(logged.run_id, "summary.json")
