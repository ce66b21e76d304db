"""The worker: the process that executes workflows; a data directory of its own has one at most."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from filelock import FileLock, Timeout

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration._dbos import engine
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration._dbos.database import prepare
from ml_orchestrator.orchestration._dbos.left_behind import WHAT_TO_DO, n_left_behind
from ml_orchestrator.orchestration.beginnings import beginning
from ml_orchestrator.orchestration.bell import answer
from ml_orchestrator.orchestration.child import run_step_child
from ml_orchestrator.orchestration.doing import StepExecutor
from ml_orchestrator.orchestration.handing_over import HandOver
from ml_orchestrator.orchestration.launch import worker_leases, worker_notes
from ml_orchestrator.orchestration.leases import Leases, kill
from ml_orchestrator.orchestration.notes import Notes
from ml_orchestrator.orchestration.pipelines.performing import Performer
from ml_orchestrator.orchestration.reactions import open_bus
from ml_orchestrator.orchestration.retention.logs import LogKeeper
from ml_orchestrator.orchestration.retention.pruner import Pruner
from ml_orchestrator.orchestration.run_news import RunNews
from ml_orchestrator.orchestration.schedules.sweeping import Sweeper
from ml_orchestrator.orchestration.sharing.holds import StepHolds
from ml_orchestrator.orchestration.sharing.homes import at_home, forgetting_files
from ml_orchestrator.orchestration.sharing.leases import SharedLeases
from ml_orchestrator.orchestration.sharing.opening import open_leases, open_notes
from ml_orchestrator.orchestration.sharing.pools import is_shared
from ml_orchestrator.orchestration.sharing.recovery import Recovery
from ml_orchestrator.orchestration.sharing.rows import Rows
from ml_orchestrator.orchestration.sharing.tenure import SharedTenure
from ml_orchestrator.orchestration.staying import BUSY_POLL_S, IDLE_POLL_S, Stay
from ml_orchestrator.orchestration.steps._base import load_plugins
from ml_orchestrator.orchestration.tenure import Tenure
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.telemetry.measures import watch_queue

__all__ = ["run_step_child", "run_worker"]

LOOK_S = 0.5
START_WAIT_S = 30.0
PRUNE_JOIN_S = 10.0  # a pass that is cut off is finished by the next one
HAND_OVER_LOOK_S = 0.05
_log = logging.getLogger(__name__)


def run_worker(settings: Settings, *, is_beside: bool = False) -> None:
    """Execute workflows until there have been none for ``settings.worker_idle_s``.

    While a schedule is enabled it stays, and starts what comes due. Once it is asked to leave, it
    ends as soon as the steps under way are recorded.

    Returns at once if the data directory has a living worker already: on this machine, where runs
    are kept in Postgres. There, another one may be started beside it.

    Raises:
        InvalidInputError: ``is_beside``, and the data directory keeps its runs itself.
    """
    prepare_home(settings.home)
    if is_shared(settings):
        _work_among_others(settings, is_beside=is_beside)
        return
    if is_beside:
        raise InvalidInputError(
            f"{settings.home} has one worker at a time: its runs are kept in a file. Keep them in "
            "Postgres (ML_ORCHESTRATOR_DATABASE_URL) to have several."
        )
    leases = worker_leases(settings)
    lock = FileLock(settings.home / "worker.lock")
    if not _won(lock, leases, settings.lease_ttl_s):
        _log.info("Another worker is at work here")
        return
    try:
        _work(settings, leases)
    finally:
        lock.release()


def _won(lock: FileLock, leases: Leases, ttl_s: float) -> bool:
    """Take the lock unless its holder is well; a holder that hangs is killed."""
    deadline = time.monotonic() + START_WAIT_S + ttl_s
    while time.monotonic() < deadline:
        try:
            lock.acquire(timeout=0)
            return True
        except Timeout:
            pass
        if leases.has_worker():
            return False
        _kill_silent(leases, ttl_s)
        time.sleep(0.05)  # its holder is coming or going
    return False


def _kill_silent(leases: Leases, ttl_s: float) -> None:
    """Kill workers of this machine that have stopped renewing their lease."""
    silent = [x for x in leases.all() if x.is_live and x.is_here and leases.is_silent(x)]
    if silent:
        # After the machine was asleep everybody looks silent for a moment. Who renews its
        # lease meanwhile cannot be revoked any more.
        time.sleep(ttl_s / 2)
    for lease in silent:
        if leases.revoke(lease):
            _log.warning("Worker %d hangs and is killed", lease.pid)
            kill(lease)


def _work(settings: Settings, leases: Leases) -> None:
    dead = _bury_predecessors(leases)
    tenure = Tenure(leases, uuid.uuid4().hex, ttl_s=settings.lease_ttl_s)
    notes = worker_notes(settings)
    # Before its lease: one with a lease and without a note is taken for one of an older release.
    notes.begin(tenure.executor_id, beginning(settings, tenure.executor_id))
    tenure.begin()
    load_plugins(settings)
    prepare(settings)

    def take_over() -> None:
        engine.adopt(dead)
        engine.look_now()
        _stop_foreign()
        for name in dead:
            leases.forget(name)

    _serve(settings, tenure, take_over, notes=notes)


def _work_among_others(settings: Settings, *, is_beside: bool) -> None:
    prepare(settings)
    if n_left := n_left_behind(settings):
        _log.warning("%d unfinished runs are in workflows.db still. %s", n_left, WHAT_TO_DO)
    rows, ttl_s = Rows(settings.state_url, is_kept=True), settings.lease_ttl_s
    leases = open_leases(settings, rows)
    tenure = SharedTenure(leases, uuid.uuid4().hex, ttl_s=ttl_s, is_beside=is_beside)
    me = tenure.executor_id
    recovery = Recovery(leases, me, ttl_s=ttl_s, owners=engine.owners, adopt=engine.adopt)
    if not _has_joined(tenure, leases, recovery, ttl_s):
        _log.info("Another worker is at work here")
        rows.close()
        return
    notes = open_notes(settings, rows)
    notes.begin(me, beginning(settings, me))
    load_plugins(settings)

    look = _looker(recovery, _stop_foreign)

    def take_over() -> None:
        look()
        engine.look_now()

    holds = StepHolds(rows, me)
    _serve(settings, tenure, take_over, notes=notes, look=look, holds=holds)
    holds.drain()
    tenure.close()
    holds.close()
    rows.close()


def _has_joined(
    tenure: SharedTenure, leases: SharedLeases, recovery: Recovery, ttl_s: float
) -> bool:
    """Take a lease unless this machine has a worker of the data directory that is well."""
    deadline = time.monotonic() + START_WAIT_S + ttl_s
    while time.monotonic() < deadline:
        recovery.living()  # what died here leaves its place
        if tenure.begin():
            return True
        if leases.has_worker():
            return False
        time.sleep(0.05)
    return False


def _looker(recovery: Recovery, stop_foreign: Callable[[], None]) -> Callable[[], None]:
    """Return what looks after other workers, and after their runs once those have gone.

    What another release planned is stopped each time the last worker has gone that may take it.
    """
    has_stopped = False

    def look() -> None:
        nonlocal has_stopped
        recovery.look()
        is_last = recovery.is_last
        try:
            if is_last and not has_stopped:
                stop_foreign()
            has_stopped = is_last
        except UnavailableError as error:
            _log.warning("Runs of other releases are not looked for yet: %s", error)

    return look


def _stop_foreign() -> None:
    for run_id in engine.stop_foreign():
        _log.warning("Run %s was planned by another release and is stopped", run_id)


def _serve(
    settings: Settings,
    tenure: Tenure | SharedTenure,
    take_over: Callable[[], None],
    *,
    notes: Notes,
    look: Callable[[], object] = lambda: None,
    holds: StepHolds | None = None,
) -> None:
    """Run what is queued until there is nothing to do; ``look`` is called every so often."""
    database = open_database(settings.state_url, settings.home)
    hand_over = HandOver()
    own = StepExecutor(settings, database, holds)
    is_pooled = settings.worker_pool is not None
    execute = at_home(own.done, settings, database) if is_pooled else own.done
    if is_shared(settings):
        execute = forgetting_files(execute, database)
    performer = Performer(settings, database, execute, at_work=hand_over.at_work)
    bus, news = open_bus(settings, database, role="worker"), RunNews(database)
    engine.launch(
        tenure.executor_id,
        settings,
        execute,
        performer,
        news,
        in_thread=None if is_pooled else own.in_thread,
        hand_over=hand_over,
    )
    ended = threading.Event()
    listening = (settings.home, engine.look_now, ended)
    threading.Thread(target=answer, args=listening, name="bell", daemon=True).start()
    watch_queue(engine.queue_depths)
    take_over()
    client = Door(lambda: RunClient(settings), is_light=True)
    sweeper = Sweeper(settings, database, client=client)
    pruning = _start_pruning(settings, database, ended)
    poll_s = BUSY_POLL_S if is_shared(settings) else IDLE_POLL_S
    stay = Stay(settings.worker_idle_s, poll_s, tenure, sweeper, look, news.given_up)
    if not stay.until_idle(lambda: notes.is_asked(tenure.executor_id)):
        _hand_over(hand_over, tenure, look)
    ended.set()
    engine.shut_down()
    own.drain()
    bus.close()
    pruning.join(PRUNE_JOIN_S)
    if client.is_open:
        client().close()
    database.close()


def _start_pruning(
    settings: Settings, database: Database, ended: threading.Event
) -> threading.Thread:
    given = (settings, database, ended)
    thread = threading.Thread(target=_prune, args=given, name="pruner", daemon=True)
    thread.start()
    return thread


def _prune(settings: Settings, database: Database, ended: threading.Event) -> None:
    """Remove what is over, in a thread of its own: a step of it may wait for minutes."""
    pruner, keeper = Pruner(settings, database), LogKeeper(settings.home / "logs" / "worker.log")
    duties = {"removes old runs": pruner.sweep, "cuts its log": keeper.look}
    while duties and not ended.wait(LOOK_S):
        for what, do in list(duties.items()):
            try:
                do()
            except Exception:  # noqa: BLE001 a defect of it must not end the worker
                _log.exception("This worker %s no more", what)
                del duties[what]
    pruner.close()


def _bury_predecessors(leases: Leases) -> Sequence[str]:
    """Make sure that all earlier workers are dead and return their executor ids.

    We hold the lock, so whoever still runs has lost it and must not go on.
    """
    earlier = leases.all()
    for lease in earlier:
        leases.revoke(lease)
        if lease.is_here:
            kill(lease)
    return [lease.executor_id for lease in earlier]


def _hand_over(
    hand_over: HandOver, tenure: Tenure | SharedTenure, look: Callable[[], object]
) -> None:
    """Return once what was under way is recorded, for the next worker to go on with the runs.

    A step that only waits is not waited for. It cannot be told to end, so this process ends as it
    stands, with what else it holds: a lock, or the row of its lease.
    """
    hand_over.ask()
    engine.take_no_more()
    _log.info("This worker was asked to leave; what is under way is finished first")
    looked_at = float("-inf")
    while hand_over.n_at_work:
        if time.monotonic() - looked_at > LOOK_S:
            look()
            looked_at = time.monotonic()
        time.sleep(HAND_OVER_LOOK_S)
    try:
        tenure.end()
    except UnavailableError as error:
        _log.warning("Nobody could be told that this worker leaves: %s", error)
    _log.info("This worker leaves")
    if hand_over.n_waiting:
        logging.shutdown()
        os._exit(0)
