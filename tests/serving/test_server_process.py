"""Model servers as processes: started, found, loaded, stopped, killed."""

import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.registry.flowers import ask, make_desk
from tests.serving.http_server import send
from tests.serving.load import Tally, join, question, start_clients, swap_under_load

from ml_orchestrator.cli import main
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.address import Address, find_address, write_address
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.launch import find_server, start_server, stop_server
from ml_orchestrator.settings import Settings

LIMIT_S = 120.0
MODEL = "iris"


@pytest.fixture
def stopped(settings: Settings) -> Iterator[Settings]:
    """The data directory, its server ended afterwards whatever happens."""
    yield settings
    stop_server(settings, MODEL)


def test_a_server_is_started_once_found_and_stopped(
    stopped: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    address = start_server(stopped, MODEL)
    path = stopped.home / "serving" / "iris.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert address.token not in repr(address)
    assert start_server(stopped, MODEL, version=2) == find_server(stopped, MODEL) == address
    assert HttpServingControl(address).state().blue == 1  # where champion points
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(stopped.home), "serve", "--model", MODEL])
    assert ended.value.code == 3
    assert f"'iris' has a server already, at {address.url}" in capsys.readouterr().err

    log = (stopped.home / "logs" / "serving-iris.log").read_text(encoding="utf-8")
    (example,) = (line for line in log.splitlines() if line.startswith("  curl"))
    assert send(address, "/invocations", shlex.split(example)[-1].encode()).status == 200

    stop = ["--home", str(stopped.home), "serve", "--model", MODEL, "--stop"]
    with pytest.raises(SystemExit, match="0"):
        main(stop)
    assert not address.is_alive
    assert not path.exists()
    assert find_server(stopped, MODEL) is None
    with pytest.raises(SystemExit, match="0"):
        main(stop)
    assert capsys.readouterr().out == "Stopped the server of iris.\nThere is no server of iris.\n"
    with pytest.raises(UnavailableError, match="did not answer"):
        HttpServingControl(address).state()


def test_a_move_that_nobody_told_of_is_found_by_looking(stopped: Settings) -> None:
    control = HttpServingControl(start_server(stopped, MODEL))
    desk = make_desk(stopped.home)  # tells nobody, as another MLflow client
    desk.mover.move(ask(2, 1, alias="champion"))
    try:
        give_up_at = time.monotonic() + LIMIT_S
        while control.state().blue != 2:
            assert time.monotonic() < give_up_at
    finally:
        desk.mover.move(ask(1, 2, alias="champion"))


def test_no_request_fails_while_versions_are_swapped_and_the_server_told_to_go(
    stopped: Settings,
) -> None:
    seen = swap_under_load(stopped, n_swaps=6, n_requests=1_600, n_clients=8)
    assert (seen["failed"], seen["failures"], seen["answers_of_neither_version"]) == (0, [], 0)
    assert (seen["requests"], seen["swaps"], seen["versions_seen"]) == (1_600, 6, 2)

    address = start_server(stopped, MODEL)  # the same one
    tally = Tally()
    clients = start_clients(address, question()[0], tally, n_clients=8, n_requests=None)
    while tally.n_answered < 100 and not tally.failures:
        pass
    process = psutil.Process(address.pid)
    os.kill(address.pid, signal.SIGTERM)
    join(clients, tally)  # each leaves when an answer tells it to
    assert (tally.failures, tally.n_asked - tally.n_answered) == ([], 0)
    process.wait(LIMIT_S)


def test_an_isolated_model_that_dies_is_started_again_and_its_server_lives(
    stopped: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    address = start_server(stopped, MODEL, isolate=True)
    body, own = question()
    assert send(address, "/invocations", body).body == own[0]
    (model,) = psutil.Process(address.pid).children()
    assert "OTEL_EXPORTER_OTLP_HEADERS" in psutil.Process(address.pid).environ()
    assert not any(name.startswith(("ML_ORCHESTRATOR_", "OTEL_")) for name in model.environ())

    (seen,) = HttpServingControl(address).stats(window_s=60)
    assert seen.fault is None

    model.kill()
    model.wait(LIMIT_S)
    while send(address, "/ping").status != 200:
        reply = send(address, "/invocations", body)
        assert reply.status in (200, 503)
    assert send(address, "/invocations", body).body == own[0]
    (again,) = psutil.Process(address.pid).children()
    assert again.pid != model.pid

    again.kill()
    again.wait(LIMIT_S)
    while send(address, "/ping").status == 200:
        pass
    (seen,) = HttpServingControl(address).stats(window_s=60)
    assert "stays ended" in str(seen.fault)
    reply = send(address, "/ping")
    assert (reply.status, "stays ended" in reply.json["message"]) == (503, True)
    assert send(address, "/invocations", body).status == 503
    assert send(address, "/live").status == 200
    assert stop_server(stopped, MODEL)
    assert not again.is_running()


def test_a_server_that_cannot_start_says_why(stopped: Settings) -> None:
    with pytest.raises(UnavailableError, match=r"No model 'nobody'|nobody"):
        start_server(stopped, "nobody")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "../x"], "'../x'"),
        (["--model", MODEL, "--host", "0.0.0.0"], "--allow-network"),
        (["--model", MODEL, "--version", "1", "--follow", "1"], "name it by --alias"),
        (["--model", MODEL, "--follow", "0"], "--follow takes"),
        (["--model", MODEL, "--version", "77"], "77"),
        (
            ["--model", MODEL, "--alias", "unset"],
            "No alias 'unset' on model 'iris'; known: champion. --alias champion serves the "
            "version that it points to, and follows when it moves; --version N stays with one.",
        ),
        (["--model", MODEL, "--host", "127.0.0.1", "--port", "70000"], "port"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(settings.home), "serve", *options])
    assert ended.value.code == 1
    assert message in capsys.readouterr().err


def test_the_file_of_a_dead_or_another_process_counts_for_nothing(tmp_path: Path) -> None:
    this = psutil.Process()
    here = Address("m", "http://127.0.0.1:1", this.pid, this.create_time(), "secret")
    write_address(tmp_path, here)
    assert find_address(tmp_path, "m") == here
    write_address(tmp_path, replace(here, started_at=here.started_at - 60))  # the pid came back
    assert find_address(tmp_path, "m") is None
    (tmp_path / "serving" / "m.json").write_text("{}")
    assert find_address(tmp_path, "m") is None
    assert find_address(tmp_path, "other") is None


@pytest.mark.parametrize("obeys", [True, False])
def test_a_server_whose_parent_does_not_ask_for_it_is_stopped_all_the_same(
    settings: Settings, obeys: bool
) -> None:
    """As under a program that started it and goes on, or in a container without an init."""
    program = "import signal, sys\nsignal.signal(signal.SIGTERM, %s)\nprint('ready', flush=True)\n"
    program = program % ("lambda *_: sys.exit(0)" if obeys else "signal.SIG_IGN")
    child = subprocess.Popen(
        [sys.executable, "-c", program + "while True: signal.pause()"], stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        process = psutil.Process(child.pid)
        (settings.home / "serving").mkdir(exist_ok=True)
        address = Address("odd", "http://127.0.0.1:1", child.pid, process.create_time(), "secret")
        write_address(settings.home, address)

        assert stop_server(settings, "odd", wait_s=0.5 if not obeys else LIMIT_S)

        assert process.status() == psutil.STATUS_ZOMBIE
        assert find_address(settings.home, "odd") is None
        assert not stop_server(settings, "odd")
