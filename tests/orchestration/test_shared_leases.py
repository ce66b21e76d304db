"""Leases of workers that share a database, who is dead by them, and who is at a step."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from tests.conftest import new_postgres_url

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration import worker
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.sharing import holds as sharing_holds
from ml_orchestrator.orchestration.sharing.holds import StepHolds
from ml_orchestrator.orchestration.sharing.homes import RunHomes, forget_homes
from ml_orchestrator.orchestration.sharing.leases import SharedLease, SharedLeases, this_machine
from ml_orchestrator.orchestration.sharing.pools import home_id, pools_of
from ml_orchestrator.orchestration.sharing.recovery import Recovery
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.orchestration.worker import run_worker
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import step_holds
from ml_orchestrator.storage.schema import worker_leases as table

TTL_S = 5.0


@dataclass
class Shared:
    """A database with leases, as one data directory sees it."""

    url: str
    rows: Rows
    database: Database
    leases: SharedLeases
    owners: set[str] = field(default_factory=set)
    adopted: list[str] = field(default_factory=list)
    now: float = 100.0

    def recovery(self) -> Recovery:
        def adopt(executor_ids: Sequence[str]) -> None:
            self.adopted += executor_ids

        return Recovery(
            self.leases,
            "me",
            ttl_s=TTL_S,
            owners=lambda: self.owners,
            adopt=adopt,
            clock=lambda: self.now,
        )

    def of_another_directory(self) -> SharedLeases:
        return SharedLeases(self.rows, "other", ttl_s=TTL_S)

    def change(self, executor_id: str, **values: object) -> None:
        statement = update(table).where(table.c.executor_id == executor_id).values(values)
        with self.rows() as connection:
            connection.execute(statement)

    def silence(self, executor_id: str, seconds: float) -> None:
        self.change(executor_id, renewed_at=table.c.renewed_at - seconds)

    def names(self) -> list[str]:
        return [lease.executor_id for lease in self.leases.all()]


@pytest.fixture
def shared(tmp_path: Path, postgres_server: str) -> Iterator[Shared]:
    url = new_postgres_url(postgres_server)
    database, rows = open_database(url, tmp_path), Rows(url, is_kept=True)
    yield Shared(url, rows, database, SharedLeases(rows, "mine", ttl_s=TTL_S))
    rows.close()
    database.close()


def test_a_directory_has_one_worker_on_a_machine_unless_another_is_to_be_beside_it(
    shared: Shared,
) -> None:
    assert not shared.leases.has_worker()
    assert [shared.leases.take(name) for name in ("a", "b")] == [True, False]
    assert shared.leases.take("c", is_beside=True)
    assert shared.of_another_directory().take("d")
    assert shared.leases.has_worker()
    assert shared.names() == ["a", "c", "d"]
    assert [lease.executor_id for lease in shared.leases.ours()] == ["a", "c"]
    assert all(lease.is_here and lease.machine == this_machine() for lease in shared.leases.all())


def test_who_is_about_to_leave_makes_room_and_stays_only_if_nobody_came(shared: Shared) -> None:
    shared.leases.take("a")
    shared.leases.rest("a")
    assert not shared.leases.has_worker()
    assert shared.leases.renew("a")  # it may still be at a run
    assert shared.leases.stay("a")
    shared.leases.rest("a")
    assert shared.leases.take("b")
    assert not shared.leases.stay("a")
    shared.leases.leave("a")
    assert shared.names() == ["b"]


def test_who_was_buried_learns_of_it_and_one_who_renewed_since_is_not_buried(
    shared: Shared,
) -> None:
    shared.leases.take("a")
    (seen,) = shared.leases.all()
    assert shared.leases.renew("a")
    assert not shared.leases.bury(seen)
    (seen,) = shared.leases.all()
    assert [shared.leases.bury(seen), shared.leases.bury(seen)] == [True, False]
    assert not shared.leases.renew("a")
    assert not shared.leases.stay("a")


def test_silence_is_told_by_the_clock_of_the_database(shared: Shared) -> None:
    shared.leases.take("a")
    shared.silence("a", TTL_S + 1)
    (lease,) = shared.leases.all()
    assert shared.leases.silence_s(lease) == pytest.approx(TTL_S + 1, abs=0.9)
    assert shared.leases.is_silent(lease)
    assert not shared.leases.has_worker()


def test_the_runs_of_a_process_that_died_here_are_taken_over_at_once(shared: Shared) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    shared.leases.take("a", is_beside=True)
    shared.change("a", pid=ended.pid)
    shared.owners = {"a"}
    assert shared.recovery().look() == 1
    assert shared.adopted == ["a"]
    assert shared.names() == []


def _elsewhere(shared: Shared, silent_s: float) -> SharedLease:
    shared.leases.take("a", is_beside=True)
    shared.change("a", machine="another", host="far")
    shared.silence("a", silent_s)
    (lease,) = shared.leases.all()
    return lease


def test_a_worker_elsewhere_is_dead_once_it_was_silent_for_long_and_that_was_watched(
    shared: Shared,
) -> None:
    _elsewhere(shared, 1.5 * TTL_S + 1)
    shared.owners = {"a"}
    recovery = shared.recovery()
    assert recovery.look() == 0  # it may be we who were asleep
    shared.now += TTL_S / 2 - 0.1
    assert recovery.look() == 0
    shared.leases.renew("a")
    shared.silence("a", 1.5 * TTL_S + 1)
    shared.now += 0.2
    assert recovery.look() == 0  # it was heard of since
    shared.now += TTL_S / 2
    assert recovery.look() == 1
    assert (shared.adopted, shared.names()) == (["a"], [])


def test_a_worker_elsewhere_that_may_not_have_ended_itself_is_left_alone(shared: Shared) -> None:
    _elsewhere(shared, 1.4 * TTL_S)
    shared.owners = {"a"}
    recovery = shared.recovery()
    recovery.look()
    shared.now += 10 * TTL_S

    assert recovery.look() == 0
    assert shared.names() == ["a"]


def test_a_run_whose_owner_has_no_lease_is_taken_over(shared: Shared) -> None:
    shared.leases.take("me")
    shared.leases.take("living", is_beside=True)
    shared.owners = {"me", "living", "gone"}

    assert shared.recovery().look() == 1
    assert shared.adopted == ["gone"]


def test_runs_of_another_release_are_stopped_once_nobody_of_it_shares_a_pool(
    shared: Shared,
) -> None:
    def joins(name: str, home: str, pool: str | None, version: str) -> SharedLeases:
        leases = SharedLeases(shared.rows, home, ttl_s=TTL_S, pool=pool, plan_version=version)
        assert leases.take(name, is_beside=True)
        return leases

    stopped: list[list[str]] = []
    mine = joins("me", "mine", "team", "2")
    recovery = Recovery(
        mine, "me", ttl_s=TTL_S, owners=lambda: shared.owners, adopt=shared.adopted.extend
    )
    look = worker._looker(recovery, lambda: stopped.append(shared.names()))
    joins("stranger", "other", None, "1")
    look()
    look()
    assert stopped == [["me", "stranger"]]

    joins("same release", "mine", "team", "2")
    same_home = joins("a", "mine", None, "1")
    same_pool = joins("b", "other", "team", "1")
    look()
    same_home.leave("a")
    look()
    assert len(stopped) == 1
    same_pool.leave("b")
    look()
    look()
    assert stopped[1:] == [["me", "same release", "stranger"]]


def test_one_worker_at_a_time_is_at_a_step_and_what_a_dead_one_held_is_free(
    shared: Shared,
) -> None:
    shared.leases.take("a")
    shared.leases.take("b", is_beside=True)
    first, second = StepHolds(shared.rows, "a"), StepHolds(shared.rows, "b")
    assert [first.take("run-1/one"), second.take("run-1/one")] == [True, False]
    assert not first.take("run-1/one")  # not even itself, a second time
    assert second.take("run-1/two")

    second.release("run-1/one")  # which is not its own
    assert not second.take("run-1/one")
    first.release("run-1/one")
    assert second.take("run-1/one")

    shared.leases.leave("b")
    assert first.take("run-1/one")


def _holders(shared: Shared) -> dict[str, str]:
    with shared.rows() as connection:
        rows = connection.execute(select(step_holds.c.key, step_holds.c.executor_id))
        return {row.key: row.executor_id for row in rows}


def test_what_a_worker_holds_goes_with_its_lease(shared: Shared) -> None:
    for name in ("a", "b", "c"):
        shared.leases.take(name, is_beside=True)
        assert StepHolds(shared.rows, name).take(f"run-{name}/one")

    shared.leases.leave("a")
    assert set(_holders(shared)) == {"run-b/one", "run-c/one"}
    assert shared.leases.bury(next(x for x in shared.leases.all() if x.executor_id == "b"))
    assert _holders(shared) == {"run-c/one": "c"}


def test_a_hold_whose_answer_was_lost_does_not_keep_its_own_worker_out(shared: Shared) -> None:
    shared.leases.take("a")
    assert StepHolds(shared.rows, "a").take("run-1/one")  # entered, and nobody knows

    holds = StepHolds(shared.rows, "a")
    assert [holds.take("run-1/one"), holds.take("run-1/one")] == [True, False]


class AwayFor(Rows):
    """A database that refuses the next statements."""

    n_refused = 0

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        if self.n_refused > 0:
            self.n_refused -= 1
            raise UnavailableError("It is away.")
        with super().__call__() as connection:
            yield connection


def test_a_step_is_released_however_long_the_database_is_away(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_holds, "LOOK_S", 0.001)
    shared.leases.take("a")
    rows = AwayFor(shared.url)
    holds = StepHolds(rows, "a")
    assert holds.take("run-1/one")
    rows.n_refused = 100
    assert not holds.take("run-1/two")
    holds.release("run-1/one")
    assert _holders(shared) == {}
    assert holds.take("run-1/two")

    rows.n_refused = 10**9
    holds.close()  # with the lease, which is what is left of it
    holds.release("run-1/two")
    assert _holders(shared) == {"run-1/two": "a"}
    rows.close()


def test_runs_are_taken_over_later_if_the_database_goes_away_meanwhile(shared: Shared) -> None:
    shared.owners = {"gone"}
    refusals = [UnavailableError("It is away.")]

    def adopt(executor_ids: Sequence[str]) -> None:
        if refusals:
            raise refusals.pop()
        shared.adopted += executor_ids

    recovery = Recovery(shared.leases, "me", ttl_s=TTL_S, owners=lambda: shared.owners, adopt=adopt)
    assert [recovery.look(), recovery.look()] == [0, 1]
    assert shared.adopted == ["gone"]


def test_a_step_in_a_thread_waits_for_another_worker_and_is_off_when_cancelled(
    shared: Shared,
) -> None:
    shared.leases.take("a")
    first, second = StepHolds(shared.rows, "a"), StepHolds(shared.rows, "b")
    assert first.take("run-1/one")
    with pytest.raises(StepFailedError, match="cancelled before the step could begin"):
        second.during(("run-1", "one"), lambda: "done", lambda: True)
    threading.Timer(0.05, first.release, ["run-1/one"]).start()

    assert second.during(("run-1", "one"), lambda: "done", lambda: False) == "done"
    second.drain()
    assert first.take("run-1/one")


def test_the_files_of_a_run_are_where_they_were_first(shared: Shared, tmp_path: Path) -> None:
    left, right = (
        RunHomes(Settings.read({}, home=tmp_path / name, project_dir=tmp_path), shared.database)
        for name in ("left", "right")
    )
    right.check("run-1")  # it has none yet
    left.settle("run-1")
    right.settle("run-1")
    left.check("run-1")
    with pytest.raises(StepFailedError, match=r"are in .*left on .*, and this worker has .*right"):
        right.check("run-1")


def test_where_removed_runs_had_their_files_is_forgotten(shared: Shared, tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path / "left", project_dir=tmp_path)
    homes = RunHomes(settings, shared.database)
    for run_id in ("run-1", "run-2"):
        homes.settle(run_id)
    forget_homes(shared.database, ["run-1", *(f"run-x{number}" for number in range(1200))])
    assert homes.of("run-1") is None
    assert homes.of("run-2") is not None


def test_a_data_directory_keeps_its_name_and_looks_after_its_own_runs_beside_the_pools(
    tmp_path: Path, shared: Shared
) -> None:
    own = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    joined = own.with_values({"database_url": shared.url, "worker_pool": "team"})
    home = f"home-{home_id(tmp_path)}"

    assert pools_of(own) == ()
    assert pools_of(own.with_values({"database_url": shared.url})) == (home,)
    assert pools_of(joined) == ("pool-team", home)
    assert home_id(tmp_path / "other") != home_id(tmp_path)


def test_a_pool_and_a_worker_beside_another_need_a_database_that_is_shared(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"Set ML_ORCHESTRATOR_DATABASE_URL, too"):
        Settings.read({}, home=tmp_path, project_dir=tmp_path, worker_pool="team")
    with pytest.raises(InvalidInputError, match="has one worker at a time"):
        run_worker(Settings.read({}, home=tmp_path, project_dir=tmp_path), is_beside=True)


def test_leases_of_a_database_that_is_away_are_a_clear_error() -> None:
    away = Rows("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(UnavailableError, match="The state database refused"):
        SharedLeases(away, "mine", ttl_s=TTL_S).all()
