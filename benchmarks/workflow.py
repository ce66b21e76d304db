"""What durable workflows cost: per step, to start, many at once, and after a worker was killed.

Ours is a whole worker, started by a client as a server does it, on SQLite. Beside it bare DBOS,
which it is built on, with the same file system, two runs at once and a poll of 0.1 s; and Prefect
3, offline: in one process for the cost of a step, and for runs that are queued with a server of its
own, a flow that is served, two runs at once and a poll of a second, the least that it takes. Its
runs take seconds each, so there are fewer of them. Whether runs survive it when their worker is
killed again and again is counted by ``workflow_kills.py``.
"""

import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import _workflow_steps as steps
import psutil
from _bare_dbos import bare
from _figures import Figure, arguments, percentile, show
from _ledger import read_ledger
from _prefect import between_tasks, served

from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.keeping import keep_worker
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.orchestration.leases import is_running
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

LIMIT_S = 300.0
LOOK_S = 0.25  # as the service looks at a run that somebody waits for


class Ours:
    """A data directory, its client, and the worker that this starts."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read(
            {}, home=home, project_dir=home, plugins=(steps.__name__,), worker_idle_s=600,
            log_level="WARNING",
        )  # fmt: skip
        self.client = RunClient(self.settings)
        self.leases = worker_leases(self.settings)

    def start(self, workflow: str, **params: Any) -> str:
        """Queue a run and return its id."""
        run_id = f"run-{uuid.uuid4().hex[:12]}"
        found = WORKFLOWS[workflow]
        self.client.start(run_id, found, validated(found, params), actor="benchmark")
        return run_id

    def wait(self, run_ids: list[str]) -> None:
        """Wait for the end of runs, looking as those do who wait for one."""

        def are_over() -> bool:
            self.client.wake()
            return not any(self.client.depths().values())

        until(are_over, every_s=LOOK_S)

    def moments(self, run_id: str, what: str = "begin") -> list[int]:
        """Return when the steps of a run began, or ended, in ns."""
        return [entry.at for entry in read_ledger(self.settings.home)
                if entry.run_id == run_id and entry.what == what]  # fmt: skip

    def kill_worker(self) -> int | None:
        """Kill the worker as the system would and return its process; None without one."""
        for lease in self.leases.all():
            if lease.is_live and is_running(lease):
                os.kill(lease.pid, signal.SIGKILL)
                return lease.pid
        return None

    def close(self) -> None:
        """End the worker and give back what is open."""
        self.kill_worker()
        self.client.close()
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.environ().get("ML_ORCHESTRATOR_HOME") == str(self.settings.home):
                    process.kill()


def until(holds: Callable[[], bool], *, every_s: float = 0.005) -> None:
    """Look until something holds."""
    give_up_at = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > give_up_at:
            raise TimeoutError("It took more than 300 s")
        time.sleep(every_s)


@contextmanager
def ours() -> Iterator[Ours]:
    """Open a fresh data directory with a worker that has run something."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = Ours(Path(folder))
        try:
            opened.client.wake()
            opened.wait([opened.start("bench-one")])
            yield opened
        finally:
            opened.close()


def per_step(n_runs: int) -> list[Figure]:
    """Return what a step costs beside its own work."""
    mine, theirs = [], []
    with ours() as here, bare(steps.MANY) as there:
        for _ in range(n_runs):
            run_id = here.start("bench-many")
            here.wait([run_id])
            began = here.moments(run_id)
            mine.append((began[-1] - began[0]) / 1e6 / (len(began) - 1))
            there.enqueue()
            said = there.ended()
            theirs.append((said["ended"] - said["began"]) / 1e6 / steps.MANY)
    found = [Figure("a step, p50", "ms", percentile(mine, 0.5), percentile(theirs, 0.5),
                    "bare DBOS", 1.2, n_runs)]  # fmt: skip
    if prefect := between_tasks(steps.MANY, n_runs):
        found.append(Figure("a step, p50", "ms", percentile(mine, 0.5), percentile(prefect, 0.5),
                            "Prefect", None, n_runs))  # fmt: skip
    return found


def start_latency(n_runs: int) -> list[Figure]:
    """Return how long a run that is queued waits for its first step, the worker being there."""
    mine, theirs = [], []
    with ours() as here, bare(1) as there:
        for n in range(n_runs):
            time.sleep(0.05 + 0.1 * (n % 7) / 7)  # no beat with anybody's poll
            asked_ns = time.time_ns()
            run_id = here.start("bench-one")
            here.wait([run_id])
            mine.append((here.moments(run_id)[0] - asked_ns) / 1e6)
            asked_ns = there.enqueue()
            theirs.append((there.ended()["began"] - asked_ns) / 1e6)
    return [
        Figure(f"queued to started, {name}", "ms", percentile(mine, q), percentile(theirs, q),
               "bare DBOS", None, n_runs)
        for name, q in (("p50", 0.5), ("p95", 0.95))
    ]  # fmt: skip


def many(n_runs: int) -> list[Figure]:
    """Return how long short workflows take, all queued at once, through one worker."""
    with ours() as here:
        began_at = time.perf_counter()
        run_ids = [here.start("bench-one") for _ in range(n_runs)]
        here.wait(run_ids)
        mine = time.perf_counter() - began_at
        n_ended = {run_id: len(here.moments(run_id, "end")) for run_id in run_ids}
        n_wrong = sum(n != 1 for n in n_ended.values())
    with bare(1) as there:
        began_at = time.perf_counter()
        for _ in range(n_runs):
            there.enqueue()
        for _ in range(n_runs):
            there.ended()
        theirs = time.perf_counter() - began_at
    return [
        Figure("short workflows, one worker", "s", mine, theirs, "bare DBOS", None, n_runs),
        Figure("lost or done twice of them", "runs", n_wrong, None, None, None, n_runs),
    ]


def beside_prefect(n_single: int, n_together: int) -> list[Figure]:
    """Return how long queued runs take to start, and many at once to end, beside Prefect's."""
    mine, theirs = [], []
    with ours() as here, served() as there:
        if there is None:
            return []
        for _ in range(n_single):
            asked_ns = time.time_ns()
            run_id = here.start("bench-one")
            here.wait([run_id])
            mine.append((here.moments(run_id)[0] - asked_ns) / 1e6)
            ((asked_ns, began_ns, _),) = there.done()
            theirs.append((began_ns - asked_ns) / 1e6)
        mine_s, theirs_s = _all_done(here, n_together), _spanned_s(there.done(n_together))
    return [
        Figure("queued to started, p50", "ms", percentile(mine, 0.5), percentile(theirs, 0.5),
               "Prefect", None, n_single),
        Figure("short workflows, one worker", "s", mine_s, theirs_s, "Prefect", None, n_together),
    ]  # fmt: skip


def _all_done(here: Ours, n_runs: int) -> float:
    """Return the seconds from queueing runs at once to the end of the last one's step."""
    asked_ns = time.time_ns()
    run_ids = [here.start("bench-one") for _ in range(n_runs)]
    here.wait(run_ids)
    return (max(here.moments(run_id, "end")[0] for run_id in run_ids) - asked_ns) / 1e9


def _spanned_s(times: list[list[int]]) -> float:
    """Return the same for Prefect's runs, each asked for, begun and ended at so many ns."""
    return (max(ended for _, _, ended in times) - min(asked for asked, _, _ in times)) / 1e9


def recovery(n_kills: int, *, is_waited_for: bool) -> list[Figure]:
    """Return how long after a kill -9 the step that was cut off begins again.

    Somebody waits for the run, or nobody does and a server is there, which keeps a worker.
    """
    found = []
    with ours() as here, nullcontext() if is_waited_for else _kept(here):
        for _ in range(n_kills):
            run_id = here.start("bench-one", sleep_s=1.0)
            until(lambda run_id=run_id: len(here.moments(run_id)) == 1)  # type: ignore[misc]
            until(lambda: here.kill_worker() is not None)
            killed_ns = time.time_ns()

            def begins_again(run_id: str = run_id) -> bool:
                if is_waited_for:
                    here.client.wake()
                return len(here.moments(run_id)) == 2

            until(begins_again, every_s=LOOK_S)
            found.append((here.moments(run_id)[1] - killed_ns) / 1e6)
            here.wait([run_id])
    who = "somebody waiting" if is_waited_for else "nobody waiting"
    return [
        Figure(f"kill -9 to running again, {who}, {name}", "ms", value, None, None, None, n_kills)
        for name, value in (("p50", percentile(found, 0.5)), ("worst", max(found)))
    ]


@contextmanager
def _kept(here: Ours) -> Iterator[None]:
    """Look after the worker as a server does."""
    ended = threading.Event()

    def keep() -> None:
        settings = here.settings
        database, client = open_database(settings.state_url, settings.home), RunClient(settings)
        with closing(database), closing(client):
            keep_worker(settings, lambda: database, lambda: client, ended)

    keeping = threading.Thread(target=keep, daemon=True)
    keeping.start()
    try:
        yield
    finally:
        ended.set()
        keeping.join(LIMIT_S)


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__)
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for the worker: it imports our steps
    quick = given.quick
    figures = [
        *per_step(3 if quick else 20),
        *start_latency(20 if quick else 200),
        *many(100 if quick else 1_000),
        *beside_prefect(*((2, 4) if quick else (10, 30))),
        *recovery(3 if quick else 20, is_waited_for=True),
        *recovery(3 if quick else 20, is_waited_for=False),
    ]
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
