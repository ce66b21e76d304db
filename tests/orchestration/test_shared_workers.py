"""Several workers of one Postgres: none of their runs is lost, no step is done by two at once."""

import signal
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from tests.conftest import new_postgres_url
from tests.orchestration.shared_bench import TTL_S, Sites, open_sites
from tests.orchestration.workflow_bench import until

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.orchestration.sharing.pools import place_of

N_RUNS = 40


@contextmanager
def own_database(server: str) -> Iterator[tuple[str, Callable[[], AbstractContextManager[None]]]]:
    """Give the address of a new database, and what lets nobody reach it for a while."""
    name = f"t{uuid.uuid4().hex}"
    folder = Path(tempfile.mkdtemp(prefix="ml-pg-"))  # the path of a socket must be short
    link, socket = folder / "s", str(make_url(server).query["host"])
    link.symlink_to(socket)

    def tell(*statements: str) -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def cut_off() -> Iterator[None]:
        ends = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        link.unlink()
        tell(ends)
        yield
        link.symlink_to(socket)

    tell(f"CREATE DATABASE {name}")
    address = make_url(server).set(
        database=name, drivername="postgresql+psycopg", query={"host": str(link)}
    )
    yield address.render_as_string(hide_password=False), cut_off
    tell(f"DROP DATABASE {name} (FORCE)")
    link.unlink()
    folder.rmdir()


@pytest.fixture
def sites(tmp_path: Path, postgres_server: str) -> Iterator[Sites]:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as opened:
        yield opened


def test_of_forty_runs_of_two_directories_none_is_lost_when_a_worker_is_killed(
    sites: Sites,
) -> None:
    left, right = (sites.site(name, worker_pool="team") for name in ("left", "right"))
    killed, _ = left.start_worker(), right.start_worker()
    runs = [f"run-{number}x" for number in range(N_RUNS)]
    for number, run_id in enumerate(runs):
        (left, right)[number % 2].start(run_id)
    until(lambda: len(sites.entries(what="ended", pid=killed.pid)) >= 3, what="it is at work")

    killed.send_signal(signal.SIGKILL)
    killed.wait()
    n_before = len(sites.entries())
    states = Counter(right.finished(run_id).state for run_id in runs)

    assert states == {"succeeded": N_RUNS}
    ended = {(x["run"], x["step"]) for x in sites.entries(what="ended")}
    assert ended == {(run_id, step) for run_id in runs for step in ("one", "two")}
    begun = Counter((x["run"], x["step"]) for x in sites.entries(what="begun"))
    again = {deed for deed, count in begun.items() if count > 1}
    assert len(again) <= 2  # as many as it was at
    for run_id, step in again:
        first, second = sites.entries(run=run_id, step=step, what="begun")
        assert first["pid"] == killed.pid
        assert second in sites.entries()[n_before:]
    assert {x["home"] for x in sites.entries()} == {
        str(site.settings.home) for site in (left, right)
    }


def test_a_run_stays_with_its_own_directory_and_is_stopped_and_resumed_from_another(
    sites: Sites, tmp_path: Path
) -> None:
    left, right = sites.site("left"), sites.site("right")
    right.start_worker()
    gate = tmp_path / "gate"
    left.start("run-1x", gate=str(gate))
    right.start("run-2x")
    right.finished("run-2x")
    assert left.client.status("run-1x").state == "queued"  # nobody of the right took it

    assert right.client.cancel("run-1x").state == "cancelled"
    assert right.client.resume("run-1x").state == "queued"
    gate.touch()
    left.start_worker()

    assert right.finished("run-1x").state == "succeeded"
    assert {x["home"] for x in sites.entries(run="run-1x")} == {str(left.settings.home)}
    assert {run.run_id for run in left.client.runs(limit=5, cursor=None).runs} == {
        "run-1x",
        "run-2x",
    }


def test_a_step_that_outlasts_its_cancelling_is_waited_for_by_another_worker(
    sites: Sites, tmp_path: Path
) -> None:
    site, gate = sites.site("left"), tmp_path / "gate"
    first = site.start_worker()
    for run_id in ("run-1x", "run-2x"):
        site.start(run_id, gate=str(gate))
    until(lambda: len(sites.entries(what="begun")) == 2, what="the first has its hands full")
    site.client.cancel("run-1x")
    second = site.start_worker("--beside")
    site.client.resume("run-1x")
    until(lambda: site.client.status("run-1x").state == "running", what="the second takes it")

    assert len(sites.entries(run="run-1x")) == 1
    gate.touch()
    assert [site.finished(run_id).state for run_id in ("run-1x", "run-2x")] == ["succeeded"] * 2
    deeds = [(x["what"], x["pid"]) for x in sites.entries(run="run-1x", step="one")]
    assert deeds == [(what, who.pid) for who in (first, second) for what in ("begun", "ended")]


def test_a_worker_that_hangs_here_is_killed_and_its_run_goes_on(
    sites: Sites, tmp_path: Path
) -> None:
    site, gate = sites.site("left"), tmp_path / "gate"
    frozen = site.start_worker()
    site.start("run-1x", gate=str(gate))
    until(lambda: sites.entries(what="begun") != [], what="the step begins")
    frozen.send_signal(signal.SIGSTOP)
    other = site.start_worker("--beside")

    until(lambda: len(sites.entries(what="begun")) == 2, what="it is taken over")
    assert frozen.wait() == -signal.SIGKILL
    gate.touch()

    assert site.finished("run-1x").state == "succeeded"
    assert [x["pid"] for x in sites.entries(what="begun")] == [frozen.pid, other.pid, other.pid]


def test_a_worker_killed_on_another_machine_is_followed_once_its_lease_has_run_out(
    sites: Sites, tmp_path: Path
) -> None:
    site, gate = sites.site("left"), tmp_path / "gate"
    killed = site.start_worker()
    site.start("run-1x", gate=str(gate))
    until(lambda: sites.entries(what="begun") != [], what="the step begins")
    other = site.start_worker("--beside")
    site.put_elsewhere(killed.pid)

    killed_at = time.monotonic()
    killed.kill()
    killed.wait()
    until(lambda: len(sites.entries(what="begun")) == 2, what="it is taken over")
    gate.touch()

    assert site.finished("run-1x").state == "succeeded"
    begun = sites.entries(what="begun")
    assert [(x["step"], x["pid"]) for x in begun] == [
        ("one", killed.pid),
        ("one", other.pid),
        ("two", other.pid),
    ]
    # It is believed dead one and a half leases after it was last heard of, which was at most one
    # before its death: a worker that is not heard of for longer ends itself.
    assert begun[1]["at"] - killed_at >= 0.5 * TTL_S


def test_a_worker_that_was_buried_ends_itself(sites: Sites, tmp_path: Path) -> None:
    site, gate = sites.site("left"), tmp_path / "gate"
    outlawed = site.start_worker()
    site.start("run-1x", gate=str(gate))
    until(lambda: sites.entries(what="begun") != [], what="the step begins")

    until(lambda: any(map(site.leases.bury, site.leases.all())), what="it is buried")
    assert outlawed.wait() == 75
    gate.touch()
    site.start_worker()

    assert site.finished("run-1x").state == "succeeded"


def test_a_worker_outlasts_a_database_that_is_away_for_less_than_its_lease(
    tmp_path: Path, postgres_server: str
) -> None:
    with own_database(postgres_server) as (url, cut_off), open_sites(tmp_path, url) as sites:
        site, gate = sites.site("left", lease_ttl_s=20), tmp_path / "gate"
        only = site.start_worker()
        site.start("run-1x", gate=str(gate))
        until(lambda: sites.entries(what="begun") != [], what="the step begins")
        log = site.settings.home / "worker.log"

        with cut_off():
            until(lambda: "The worker waits: " in log.read_text(), what="it has noticed")
        gate.touch()

        assert site.finished("run-1x").state == "succeeded"
        assert only.poll() is None
        assert {x["pid"] for x in sites.entries()} == {only.pid}


def test_a_run_with_files_goes_on_in_their_directory_only(sites: Sites, tmp_path: Path) -> None:
    left, right = (sites.site(name, worker_pool="team") for name in ("left", "right"))
    gate = tmp_path / "gate"
    killed = left.start_worker()
    left.start("run-1x", "tiny-apart", gate=str(gate), waits="two")
    until(lambda: sites.entries(what="begun", step="two") != [], what="the second step begins")
    with pytest.raises(ConflictError, match=r"are not here but in .*left"):
        right.client.check_files_are_here("run-1x")
    left.client.check_files_are_here("run-1x")
    killed.kill()
    killed.wait()
    right.start_worker()
    failed = right.finished("run-1x")
    gate.touch()
    resumed = right.client.resume("run-1x")
    left.start_worker()

    assert (failed.state, failed.error) == (
        "failed",
        f"The files of run run-1x are in {place_of(left.settings)}, and this worker has "
        f"{place_of(right.settings)}. Resume the run: a worker of that directory then goes on with "
        "it. To let any worker do so, give all of them one data directory on a shared disk.",
    )
    assert resumed.run_id == "run-1x.2"
    assert right.finished("run-1x.2").state == "succeeded"
    assert {x["home"] for x in sites.entries(step="two")} == {str(left.settings.home)}
    assert len(sites.entries(step="one", what="begun")) == 1
