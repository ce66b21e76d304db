"""The worker's sweep: what came due is claimed and handed to the function of its kind."""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.schedules import SCHEDULED, Due, Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Workflow, validated
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["ScheduleContext", "Sweeper"]

MOST_AT_ONCE = 50
REPLAN_S = 30.0
_log = logging.getLogger(__name__)


class Starter(Protocol):
    """As much of a ``RunClient`` as starting takes."""

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        ...

    def start(
        self, run_id: str, workflow: Workflow, params: dict[str, Any], *, actor: str
    ) -> RunStatus:
        """Queue a run, or return the one of this id."""
        ...


@dataclass(frozen=True, slots=True)
class ScheduleContext:
    """What the function of a kind is given beside what is due."""

    settings: Settings
    database: Database
    client: Callable[[], Starter]

    def start(self, due: Due, workflow: str, params: Mapping[str, Any]) -> RunStatus:
        """Queue the run that this time is worth, as its owner; done twice, it is one run.

        Raises:
            NotFoundError: there is no such workflow.
            InvalidInputError: the parameters or the data do not fit; nothing was queued.
        """
        found = WORKFLOWS[workflow]
        checked = validated(found, params)
        client = self.client()
        if found.check and not client.has(due.run_id):
            resolve(found.check)(self.settings, checked)
        return client.start(due.run_id, found, checked, actor=due.owner)


class Sweeper:
    """Hands out what is due. Not thread-safe: the worker's main thread has it.

    ``client`` opens what starts runs, on first use.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        client: Callable[[], Starter],
        schedules: Schedules | None = None,
    ) -> None:
        self._schedules = schedules or Schedules(database, home_id=home_of(settings))
        self._context = ScheduleContext(settings, database, client)
        self._claimant = uuid.uuid4().hex
        self._replan_at = float("-inf")

    def sweep(self) -> int:
        """Hand out what came due and return how many; a database that is away is asked later."""
        n_handed = 0
        try:
            self._replan()
            while n_handed < MOST_AT_ONCE and (due := self._schedules.claim(self._claimant)):
                self._hand(due)
                n_handed += 1
        except UnavailableError as error:
            _log.warning("Schedules wait: %s", error)
        return n_handed

    def is_wanted(self) -> bool:
        """Whether any schedule is enabled, so that somebody must stay."""
        return self._schedules.has_enabled()

    def _replan(self) -> None:
        if time.monotonic() >= self._replan_at:
            self._schedules.replan()
            self._replan_at = time.monotonic() + REPLAN_S

    def _hand(self, due: Due) -> None:
        _log.info("%s %r is due since %s", due.kind, due.key, due.due_at.isoformat())
        try:
            function = cast("Callable[[ScheduleContext, Due], None]", resolve(SCHEDULED[due.kind]))
            function(self._context, due)
        except UnavailableError as error:  # it stays claimed, and is handed out again in a minute
            _log.warning("%s %r waits: %s", due.kind, due.key, error)
            return
        except OrchestratorError as error:
            _log.warning("%s %r could not start: %s", due.kind, due.key, error)
            self._schedules.settle(due, error=str(error))
            return
        except Exception:  # noqa: BLE001 a defect of one kind must not hold up the others
            _log.exception("%s %r failed to start", due.kind, due.key)
            self._schedules.settle(due, error="It failed unexpectedly; see logs/worker.log.")
            return
        self._schedules.settle(due)
