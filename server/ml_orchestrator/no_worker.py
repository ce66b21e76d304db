"""The word in a terminal that work waits for a worker, or that the worker began otherwise."""

import sys
from datetime import UTC, datetime

from anyio.to_thread import run_sync

from ml_orchestrator.health.monitors.models import MonitorStatus
from ml_orchestrator.orchestration.models import UNFINISHED
from ml_orchestrator.orchestration.run_filter import RunFilter
from ml_orchestrator.orchestration.workers import NO_WORKER, WorkerView, look_at_workers
from ml_orchestrator.services import Services
from ml_orchestrator.settings import Settings

__all__ = ["say_if_no_worker"]


async def say_if_no_worker(services: Services, settings: Settings) -> None:
    """Print to the error stream that no worker lives, if a monitor is overdue or a run not over.

    Where one lives that began with other settings than these, their names are printed instead.

    Raises:
        UnavailableError: the database that says so cannot be asked.
    """
    if at_work := await run_sync(_at_work, settings):
        for worker in at_work:
            if worker.differs:
                said = f"Worker {worker.lease.pid}: {worker.difference}"
                print(said, file=sys.stderr, flush=True)
        return
    now = datetime.now(UTC)
    monitors = (await services.monitoring.monitors()).monitors
    is_wanted = any(_is_overdue(monitor, now) for monitor in monitors)
    for state in UNFINISHED:
        wanted = RunFilter(None, state, everything=True)
        is_wanted = is_wanted or bool((await services.workflow.runs(limit=1, wanted=wanted)).runs)
    if is_wanted:
        print(NO_WORKER, file=sys.stderr, flush=True)


def _at_work(settings: Settings) -> list[WorkerView]:
    return [worker for worker in look_at_workers(settings) if worker.is_well]


def _is_overdue(monitor: MonitorStatus, now: datetime) -> bool:
    at = None if monitor.is_paused else monitor.next_look_at
    return at is not None and datetime.fromisoformat(at) < now
