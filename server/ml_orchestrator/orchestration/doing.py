"""Doing one step of the catalogue for a worker: in a process of its own, or in a thread."""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.orchestration.child import run_in_child
from ml_orchestrator.orchestration.execution import Job, perform
from ml_orchestrator.orchestration.in_flight import InFlight
from ml_orchestrator.orchestration.progress import ProgressStore, Reporter
from ml_orchestrator.orchestration.sharing.holds import StepHolds
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.steps._base import Report
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["StepExecutor"]


class StepExecutor:
    """Does steps. No step is at work beside itself: with ``holds`` in no other worker either."""

    def __init__(
        self, settings: Settings, database: Database, holds: StepHolds | None = None
    ) -> None:
        self._settings = settings
        self._progress = ProgressStore(database)
        self._holds = holds
        self._in_flight = InFlight()

    async def done(self, job: Job) -> dict[str, Any]:
        """Return the output of a step.

        When this is cancelled, its process is killed; in a thread it ends at its next report.

        Raises:
            StepFailedError: the step failed.
        """
        if not (job.is_isolated or STEPS[job.catalogued].isolated):
            return await self._in_some_thread(job)
        threading.Thread(target=_warm, args=(job.workflow,), daemon=True).start()
        async with nullcontext() if self._holds is None else self._holds.held(_key(job)):
            return await run_in_child(self._settings, job)

    def in_thread(self, job: Job) -> dict[str, Any]:
        """Return the output of a step that needs no process, done in the thread that calls.

        Raises:
            StepFailedError: the step failed.
        """
        return self._once(job, threading.Event())

    def drain(self) -> None:
        """Wait for the steps in threads, which may outlast whoever asked for them."""
        self._in_flight.drain()

    async def _in_some_thread(self, job: Job) -> dict[str, Any]:
        is_cancelled = threading.Event()
        try:
            return await asyncio.to_thread(self._once, job, is_cancelled)
        except asyncio.CancelledError:
            is_cancelled.set()
            raise

    def _once(self, job: Job, is_cancelled: threading.Event) -> dict[str, Any]:
        key = _key(job)
        report = _UntilCancelled(Reporter(self._progress, job.run_id, job.step), is_cancelled)
        work = partial(perform, self._settings, job, report)
        if self._holds is not None:
            work = partial(self._holds.during, key, work, is_cancelled.is_set)
        return self._in_flight.once(key, work)


def _key(job: Job) -> tuple[str, int, str, str]:
    return job.run_id, job.attempt, job.place, job.step


class _UntilCancelled:
    """Ends a step in a thread at its next report once nobody waits for it any more."""

    def __init__(self, report: Report, is_cancelled: threading.Event) -> None:
        self._report = report
        self._is_cancelled = is_cancelled

    def __call__(
        self, fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None:
        if self._is_cancelled.is_set():
            raise ConflictError("The run was cancelled, or the step took too long.")
        self._report(fraction, message, numbers)


def _warm(workflow: str) -> None:
    """Import what the next steps need while an isolated one keeps everybody waiting."""
    for node in WORKFLOWS[workflow].nodes if workflow in WORKFLOWS else ():
        with suppress(ImportError):  # told when the step itself is wanted
            if not STEPS[node.step].isolated:
                STEPS[node.step].load()
