"""What is over is removed when it is old, whole, and never what something still needs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from tests.orchestration.past_runs import RULES, PastWorld
from tests.orchestration.workflow_bench import open_bench, until

from ml_orchestrator.cli import main
from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.orchestration.pipelines.cache import Cached, StepCache
from ml_orchestrator.orchestration.retention.folders import all_given_up
from ml_orchestrator.orchestration.retention.pruner import Pruner
from ml_orchestrator.orchestration.retention.rows import AT_ONCE
from ml_orchestrator.orchestration.retention.rules import DAY_S, read_age
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import idempotency, monitor_looks, monitors


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PastWorld]:
    opened = PastWorld(tmp_path)
    yield opened
    opened.close()


def failed(world: PastWorld, *run_ids: str, days: float) -> None:
    """Have runs fail at their first step, so long ago; each has files."""
    for run_id in run_ids:
        world.queue(run_id, fail="search")
        world.give_files(run_id)
    world.run_all()
    for run_id in run_ids:
        world.make_old(run_id, days=days)


def test_old_runs_go_whole_and_young_unfinished_and_newest_ones_stay(world: PastWorld) -> None:
    failed(world, "run-old", "run-older", "run-young", days=91)
    world.make_old("run-young", days=89)
    world.queue("run-look", "monitor-look", monitor="m")
    world.queue("run-fresh-look", "monitor-look", monitor="m")
    world.run_all()
    world.make_old("run-look", days=31)
    world.make_old("run-fresh-look", days=29)
    world.queue("run-waiting")
    world.make_old("run-waiting", days=400)

    found = world.pruned()

    assert (found.n_runs, found.n_by_itself, found.size_bytes) == (2, 1, 2000)
    assert world.known() == {"run-young", "run-fresh-look", "run-waiting"}
    assert world.folders() == {"run-young"}
    assert [world.has_report(f"run-{name}") for name in ("old", "older", "young")] == [0, 0, 1]
    assert (world.n_rows("run-old"), world.n_rows("run-look")) == (0, 0)
    assert world.n_rows("run-young") > 1
    assert world.pruned().n_runs == 0


def test_of_each_workflow_the_newest_are_kept_however_old(world: PastWorld) -> None:
    failed(world, "run-a", "run-b", "run-c", days=200)
    world.make_old("run-b", days=150)
    world.queue("run-look", "monitor-look", monitor="m")
    world.run_all()
    world.make_old("run-look", days=300)

    assert world.pruned(replace(RULES, least=1)).n_runs == 2
    assert world.known() == {"run-b", "run-look"}


def test_attempts_of_a_run_go_together_and_not_before_the_last_is_old(world: PastWorld) -> None:
    failed(world, "run-a", days=200)
    world.client.resume("run-a")
    world.run_all()
    assert world.pruned().n_runs == 0
    assert world.known() == {"run-a", "run-a.2"}

    world.make_old("run-a.2", days=100)
    assert world.pruned().n_runs == 1
    assert (world.known(), world.folders()) == (set(), set())


def test_a_run_that_registered_a_version_keeps_its_record_without_its_files(
    world: PastWorld,
) -> None:
    world.queue("run-registers")
    world.give_files("run-registers")
    world.run_all()
    world.make_old("run-registers", days=100)
    status = world.client.status("run-registers")

    found = world.pruned()

    assert (found.n_reduced, found.n_runs, found.size_bytes) == (1, 0, 1000)
    assert world.client.status("run-registers") == status
    assert (world.folders(), world.has_report("run-registers")) == (set(), False)
    assert world.pruned().n_reduced == 0


def test_what_something_unfinished_names_stays(world: PastWorld) -> None:
    failed(world, "run-sourced", "run-watched", "run-free", days=100)
    world.queue("run-reads", source=f"{world.settings.home}/runs/run-sourced/rows.parquet")
    world.watch(".ml-orchestrator/runs/run-watched/rows.parquet")

    found = world.pruned()

    assert (found.n_named, found.n_runs) == (2, 1)
    assert world.known() == {"run-sourced", "run-watched", "run-reads"}


def test_a_dry_run_counts_the_same_and_changes_nothing(world: PastWorld) -> None:
    failed(world, "run-a", "run-b", days=100)
    world.give_files("run-orphan")
    os.utime(world.settings.home / "runs" / "run-orphan", (0, 0))
    cache = StepCache(world.settings.home)
    cache.put("key", 1, run_id="run-a", place=".")

    trial = world.pruned(is_trial=True)
    assert world.known() == {"run-a", "run-b"}
    assert world.folders() == {"run-a", "run-b", "run-orphan"}
    done = world.pruned()

    assert trial.is_dry_run
    assert done == trial.model_copy(update={"is_dry_run": False})
    assert (done.n_runs, done.n_folders, done.n_cached, done.size_bytes) == (2, 1, 1, 3000)
    assert (world.folders(), cache.dead(), cache.get("key")) == (set(), [], None)
    assert not list((world.settings.home / "step-cache").iterdir())


def test_old_looks_go_but_for_the_newest_of_each_monitor(world: PastWorld) -> None:
    at = timestamp()
    row = {"owner": "ann", "spec": "{}", "is_paused": 0, "condition": "{}", "n_looks": 0}
    made = [{**row, "name": n, "created_at": at, "updated_at": at} for n in ("busy", "idle")]
    look = {"verdict": "good", "summary": "", "findings": "[]"}
    looks = [
        {**look, "monitor": name, "run_id": f"{name}-{day}", "at": _days_ago(day)}
        for name, days in (("busy", (50, 40, 35, 20, 1)), ("idle", (90, 80)))
        for day in days
    ]
    world.database.write(lambda c: c.execute(insert(monitors), made))
    world.database.write(lambda c: c.execute(insert(monitor_looks), looks))

    assert world.pruned(replace(RULES, least=1), is_trial=True).n_looks == 4
    assert world.pruned(replace(RULES, least=1)).n_looks == 4
    left = world.database.read(lambda c: c.execute(select(monitor_looks.c.run_id)).scalars().all())
    assert set(left) == {"busy-20", "busy-1", "idle-80"}


def test_old_idempotency_keys_go_and_young_ones_still_answer(world: PastWorld) -> None:
    row = {"scope": "s", "request_digest": "", "result": "{}"}
    ages = {"young": 89, "old": 91} | {f"older-{i}": 400 for i in range(AT_ONCE)}
    kept = [{**row, "key": k, "created_at": _days_ago(days)} for k, days in ages.items()]
    world.database.write(lambda c: c.execute(insert(idempotency), kept))

    assert world.pruned(is_trial=True).n_keys == AT_ONCE + 1
    assert world.pruned(replace(RULES, runs_s=DAY_S), is_trial=True).n_keys == AT_ONCE + 2
    assert world.pruned().n_keys == AT_ONCE + 1
    left = world.database.read(lambda c: c.execute(select(idempotency.c.key)).scalars().all())
    assert left == ["young"]


def _days_ago(days: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime(time.time() - days * DAY_S))


def test_files_that_a_cached_output_was_taken_from_count_as_used_now(world: PastWorld) -> None:
    failed(world, "run-source", "run-other", days=100)
    cache = StepCache(world.settings.home)
    cache.put("key", {"trained": "run-source"}, run_id="run-source", place=".")
    world.make_old("run-source", days=100)
    assert cache.get("key") == Cached({"trained": "run-source"}, "run-source")

    assert world.pruned().n_runs == 1
    assert world.known() == world.folders() == {"run-source"}
    assert cache.get("key") is not None


KILLED = """
import os, signal, sys
from pathlib import Path
from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.retention import folders
from tests.orchestration.past_runs import PastWorld

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(function):
    def both(*given, **named):
        function(*given, **named)
        die()
    return both

match sys.argv[2]:
    case "after the decision":
        folders.give_up = die_after(folders.give_up)
    case "before the rows":
        History.remove = die
    case "after the rows":
        History.remove = die_after(History.remove)
    case "in the files":
        remove = os.unlink
        os.unlink = die_after(remove)
PastWorld(Path(sys.argv[1])).pruned()
"""


@pytest.mark.parametrize(
    "moment", ["after the decision", "before the rows", "after the rows", "in the files"]
)
def test_a_removal_cut_short_by_kill_9_is_finished_by_the_next(
    world: PastWorld, moment: str
) -> None:
    failed(world, "run-a", days=100)
    world.queue("run-b")
    world.client.cancel("run-b")
    world.give_files("run-b")
    world.make_old("run-b", days=95)
    command = [sys.executable, "-c", KILLED, str(world.settings.home), moment]
    died = subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[2])
    assert died.returncode == -signal.SIGKILL

    given_up = {each.run_id for each in all_given_up(world.settings.home)}
    assert given_up
    for run_id in given_up:  # nobody can go on with half a run
        with pytest.raises((ConflictError, NotFoundError)):
            world.client.resume(run_id)
    world.pruned()

    assert (world.known(), world.folders()) == (set(), set())
    assert not all_given_up(world.settings.home)
    assert not any(map(world.has_report, ("run-a", "run-b")))
    assert (world.n_rows("run-a"), world.n_rows("run-b")) == (0, 0)


def test_a_new_run_of_the_same_name_survives_the_end_of_a_removal(world: PastWorld) -> None:
    failed(world, "run-a", days=100)
    (world.settings.home / "runs.gone").mkdir()
    (world.settings.home / "runs" / "run-a").rename(
        world.settings.home / "runs.gone" / f"run-a~{int((time.time() - DAY_S) * 1000)}"
    )
    world.make_old("run-a", days=0)  # begun anew after its removal was
    world.pruned()

    assert world.known() == {"run-a"}
    assert not all_given_up(world.settings.home)


def test_an_old_run_that_is_resumed_first_is_not_removed(world: PastWorld) -> None:
    world.queue("run-a")
    world.client.cancel("run-a")
    world.give_files("run-a")
    world.make_old("run-a", days=100)
    world.client.resume("run-a")

    assert world.pruned().n_runs == 0
    assert world.known() == world.folders() == {"run-a"}


def test_a_worker_removes_what_is_old_beside_its_work(tmp_path: Path) -> None:
    made = PastWorld(tmp_path)
    failed(made, "run-a", days=100)
    made.close()
    with open_bench(tmp_path, worker_idle_s=60, runs_keep_least=0) as bench:
        bench.client.wake()
        until((tmp_path / "runs.pruned").exists, what="a pass is over")
        assert bench.client.runs(limit=10, cursor=None).runs == []
        assert not list((tmp_path / "runs").iterdir())


def test_passes_are_six_hours_apart_and_none_is_made_read_only(world: PastWorld) -> None:
    now = [0.0]
    stamp = world.settings.home / "runs.pruned"

    def sweep(pruner: Pruner, times: int = 20) -> None:
        for _ in range(times):
            now[0] += 61.0
            pruner.sweep()

    reading = world.settings.model_copy(update={"mode": "read-only"})
    sweep(Pruner(reading, world.database, clock=lambda: now[0]))
    assert not stamp.exists()
    pruner = Pruner(world.settings, world.database, clock=lambda: now[0])
    sweep(pruner)
    first = stamp.stat().st_mtime_ns
    sweep(pruner)
    assert stamp.stat().st_mtime_ns == first
    os.utime(stamp, (0, 0))
    sweep(pruner)
    assert stamp.stat().st_mtime_ns > first
    pruner.close()


def test_a_terminal_removes_old_runs_or_says_what_it_would(
    world: PastWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    failed(world, "run-a", "run-b", days=10)

    def prune(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(world.settings.home), "runs", "prune", *arguments])
        said = capsys.readouterr()
        return said.err if ended.value.code else said.out

    assert "Would be removed: 0 runs" in prune("--dry-run")
    assert "Would be removed: 1 runs" in prune("--dry-run", "--older-than", "9d", "--keep", "1")
    assert world.known() == {"run-a", "run-b"}
    assert "--older-than takes hours, days or weeks" in prune("--older-than", "9")
    assert "--keep takes a number from 0" in prune("--keep", "-1")
    assert '"n_runs":2' in prune("--older-than", "9d", "--keep", "0", "--json")
    assert world.known() == set()


@pytest.mark.parametrize("text", ["", "90", "0d", "5m", "-3d", "1.5d", "30"])
def test_an_age_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="--older-than takes"):
        read_age(text)
