"""A running server sees to it that runs have a worker, though nobody calls anything."""

import argparse
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psycopg
import pytest
from tests.conftest import new_postgres_url
from tests.orchestration.shared_bench import open_sites
from tests.orchestration.workflow_bench import LIMIT_S, Bench, until

from ml_orchestrator.app_doors import Doors
from ml_orchestrator.breaker import Breaker
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration import keeping
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.keeping import (
    LOOK_S,
    PAUSE_S,
    SHARED_LOOK_S,
    Keeper,
)
from ml_orchestrator.orchestration.leases import is_running, kill
from ml_orchestrator.orchestration.sharing.opening import open_notes
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.working import run_working

T = TypeVar("T")


@contextmanager
def idle_server(settings: Settings) -> Iterator[None]:
    """Keep a worker as a server does that nobody calls."""
    doors, ended = Doors(settings), threading.Event()
    keeper = threading.Thread(target=doors.keep_worker, args=(ended,))
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(LIMIT_S)
        doors.close()


def test_a_run_goes_on_after_its_worker_was_killed_though_nobody_calls_anything(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = bench.start("tiny", gate=str(gate), number=4)
    bench.entry("gate")
    dead = bench.worker()
    with idle_server(bench.settings):
        os.kill(dead.pid, signal.SIGKILL)
        until(lambda: len(bench.entries("gate")) == 2, what="the step is at work again")
        gate.touch()
        until(lambda: bench.client.status(run_id).is_over, what="the run is over")

    assert bench.client.status(run_id).result == {"doubled": 8, "passed": 9, "answer": 9}
    assert bench.worker().pid != dead.pid


def test_on_postgres_the_only_worker_is_followed_too(tmp_path: Path, postgres_server: str) -> None:
    gate = tmp_path / "gate"
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as sites:
        site = sites.site("left")
        worker = site.start_worker()
        site.start("run-1x", gate=str(gate))
        until(lambda: len(sites.entries(what="begun")) == 1, what="the step is at work")
        with idle_server(site.settings):
            worker.kill()
            until(lambda: len(sites.entries(what="begun")) == 2, what="it is at work again")
            gate.touch()
            assert site.finished("run-1x").state == "succeeded"


class _Spied:
    """Runs whose looks and calls for a worker are counted; none is started."""

    def __init__(self, has_unfinished: Callable[[], bool], *, fails: bool = False) -> None:
        self._has_unfinished = has_unfinished
        self._fails = fails
        self.n_looks, self.n_calls = 0, 0

    def has_unfinished(self) -> bool:
        self.n_looks += 1
        return self._has_unfinished()

    def wake(self) -> None:
        self.n_calls += 1
        if self._fails:
            raise UnavailableError("The worker cannot start.")


@pytest.fixture
def database(bench: Bench) -> Iterator[Database]:
    with closing(open_database(bench.settings.state_url, bench.settings.home)) as opened:
        yield opened


def test_an_idle_server_asks_the_database_only_once_its_file_was_written(
    bench: Bench, database: Database
) -> None:
    runs = _Spied(bench.client.has_unfinished)
    keeper = Keeper(bench.settings, lambda: database, lambda: runs)
    keeper.look()
    keeper.look()  # to look had made files
    runs.n_looks = 0
    assert [keeper.look() for _ in range(3)] == [LOOK_S] * 3
    assert (runs.n_looks, runs.n_calls) == (0, 0)

    run_id = bench.start("tiny")
    assert [keeper.look(), keeper.look()] == [LOOK_S] * 2
    assert (runs.n_looks, runs.n_calls) == (2, 2)
    bench.finished(run_id)
    assert keeper.look() == LOOK_S


@pytest.mark.parametrize("is_now", [False, True])
def test_a_worker_that_a_person_stopped_is_not_followed_until_something_is_called(
    bench: Bench, database: Database, tmp_path: Path, *, is_now: bool
) -> None:
    gate = tmp_path / "gate"
    run_id = bench.start("tiny-waits", gate=str(gate))
    bench.entry("waiting")
    stopped = bench.worker()
    runs = _Spied(bench.client.has_unfinished)
    keeper = Keeper(bench.settings, lambda: database, lambda: runs)
    keeper.look()
    assert runs.n_calls == 1

    run_working(argparse.Namespace(act="stop", now=is_now), bench.settings)
    assert not is_running(stopped)
    assert [keeper.look(), keeper.look()] == [LOOK_S] * 2
    Keeper(bench.settings, lambda: database, lambda: runs).look()
    assert runs.n_calls == 1  # a server that was there heeds it, as does one that opens later

    bench.client.wake()  # as a call does
    until(lambda: len(bench.entries("waiting")) == 2, what="the step is at work again")
    keeper.look()
    kill(bench.worker(), wait_s=LIMIT_S)
    keeper.look()
    assert runs.n_calls == 3  # that one died
    gate.touch()
    assert bench.finished(run_id).state == "succeeded"


def test_on_postgres_a_stop_is_not_forgotten_as_a_worker_of_another_directory_begins(
    tmp_path: Path, postgres_server: str
) -> None:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as sites:
        left, right = sites.site("left"), sites.site("right")
        left.start("run-1x", gate=str(tmp_path / "gate"))
        stopped = left.start_worker()
        until(lambda: len(sites.entries(what="begun")) == 1, what="the step is at work")
        run_working(argparse.Namespace(act="stop", now=True), left.settings)
        assert stopped.wait(LIMIT_S) != 0
        (lease,) = left.leases.ours()
        assert left.leases.bury(lease)
        assert len(open_notes(left.settings).all()) == 1
        right.start_worker()
        until(lambda: len(open_notes(right.settings).all()) == 1, what="it has begun")

        runs = _Spied(lambda: True)
        keeper = Keeper(left.settings, _no_database, lambda: runs)
        keeper._schedules_at = float("inf")
        with closing(keeper):
            assert keeper.look() == SHARED_LOOK_S
            assert (runs.n_looks, runs.n_calls) == (1, 0)
            left.start_worker()  # whoever begins there ends it
            until(lambda: not keeper._last().were_stopped(), what="it has begun")
        assert len(open_notes(left.settings).all()) == 1


def test_looks_on_postgres_open_no_further_connections(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as sites:
        site = sites.site("left")
        site.start_worker()
        keeper = Keeper(site.settings, _no_database, lambda: _Waking(site.client))
        keeper._schedules_at = float("inf")
        opened: list[object] = []
        with closing(keeper):
            keeper.look()
            monkeypatch.setattr(psycopg, "connect", _counted(psycopg.connect, opened))
            monkeypatch.setattr(psycopg.Connection, "connect", _counted(psycopg.connect, opened))
            assert [keeper.look() for _ in range(3)] == [SHARED_LOOK_S] * 3
    assert not opened


def _counted(connect: Callable[..., T], opened: list[object]) -> Callable[..., T]:
    def counted(*args: Any, **given: Any) -> T:
        opened.append(given)
        return connect(*args, **given)

    return counted


class _Waking(_Spied):
    """Runs that are never over, and a client that is asked for a worker."""

    def __init__(self, client: RunClient) -> None:
        super().__init__(lambda: True)
        self._client = client

    def wake(self) -> None:
        self._client.wake()


def _no_database() -> NoReturn:
    raise AssertionError("Nobody looks for schedules.")


def test_workers_that_cannot_start_are_not_started_again_at_once(
    bench: Bench, database: Database
) -> None:
    runs = _Spied(lambda: True, fails=True)
    assert Keeper(bench.settings, lambda: database, lambda: runs).look() == PAUSE_S


def test_a_defect_of_a_look_is_logged_and_the_next_look_follows(
    bench: Bench, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = iter([True, False])

    def has_unfinished() -> bool:
        if next(crashes):
            raise TypeError("a defect")
        return False

    runs = _Spied(has_unfinished)
    keeper = Keeper(bench.settings, lambda: database, lambda: runs)
    assert [keeper.look(), keeper.look()] == [PAUSE_S, LOOK_S]
    assert "TypeError: a defect" in caplog.text


def test_a_keeper_whose_leases_cannot_be_opened_looks_again_later(
    bench: Bench, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = _Spied(lambda: True)
    with monkeypatch.context() as broken:
        broken.setattr(keeping, "open_books", _refuse)
        keeper = Keeper(bench.settings, lambda: database, lambda: runs)
        assert (keeper.look(), runs.n_calls) == (PAUSE_S, 0)
    assert (keeper.look(), runs.n_calls) == (LOOK_S, 1)


def _refuse(_: Settings) -> NoReturn:
    raise PermissionError("home.id")


def test_a_server_that_only_reads_keeps_no_worker(bench: Bench, tmp_path: Path) -> None:
    bench.client.cancel(bench.start("tiny", gate=str(tmp_path / "gate")))
    settings = bench.settings.model_copy(update={"mode": "read-only"})
    doors, ended = Doors(settings), threading.Event()
    keeper = threading.Thread(target=doors.keep_worker, args=(ended,), daemon=True)
    keeper.start()
    keeper.join(LIMIT_S)
    has_returned = not keeper.is_alive()  # though nothing ended it
    ended.set()
    doors.close()
    assert has_returned


def test_a_look_spends_no_trial_of_a_component_that_crashed(bench: Bench) -> None:
    doors, ended, now = Doors(bench.settings), threading.Event(), [0.0]
    ended.set()
    runs = doors.stores.runs
    runs.breaker = Breaker(clock=lambda: now[0])
    runs()
    for _ in range(3):
        runs.breaker.failed("It crashed.")
    now[0] = 1.0
    doors.keep_worker(ended)  # looks once
    is_spent = not runs.breaker.admits()
    doors.close()
    assert not is_spent
