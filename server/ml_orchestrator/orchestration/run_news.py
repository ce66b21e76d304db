"""Telling that runs began and how they ended, once for each, however often they are taken over."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.orchestration.announcing import outbox_of
from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.events.definition import Event
from ml_orchestrator.orchestration.events.kinds import RunFailed, RunFinished, RunStarted
from ml_orchestrator.orchestration.pipelines.telling import send_failure
from ml_orchestrator.orchestration.statuses import GIVEN_UP
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["RunNews"]

MOST_ERROR = 2_000  # characters
_log = logging.getLogger(__name__)


class RunNews:
    """Publishes what becomes of runs; none ends otherwise because that cannot be done.

    Runs are recorded in another database than events are. So an event has an id that follows
    from its run, and who goes on with a run after a crash publishes it again, to no effect.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log, self._outbox = EventLog(database), outbox_of("worker")

    async def started(self, run_id: str, plan: Mapping[str, Any]) -> None:
        """Publish that a run began."""
        await self._told(run_id, "started", RunStarted(**_who(run_id, plan)))

    async def finished(
        self, run_id: str, plan: Mapping[str, Any], result: Mapping[str, Any]
    ) -> None:
        """Publish that a run ended well."""
        reason = result.get("stopped_because")
        event = RunFinished(**_who(run_id, plan), stopped_because=reason and str(reason))
        await self._told(run_id, "finished", event)

    async def failed(self, run_id: str, plan: Mapping[str, Any], error: Exception) -> None:
        """Publish that a run ended with an error; only messages of ours are passed on."""
        is_ours = isinstance(error, OrchestratorError)
        said = cut(str(error), MOST_ERROR) if is_ours else "It failed unexpectedly."
        await self._told(run_id, "failed", RunFailed(**_who(run_id, plan), error=said))

    def given_up(self, run_id: str, plan: Mapping[str, Any], *, at_ms: int) -> None:
        """Publish that a run failed since it was taken over too often, and log it.

        The agent that started a pipeline is told, as of any other failure. Once is enough for each
        time that a run is given up; resumed, it goes on under the same id.

        Raises:
            UnavailableError: the database cannot be used, so it is to be told later.
            LookupError, TypeError: the plan cannot be read.
        """
        event_id = _event_id(run_id, f"given up {at_ms}")
        if self._log.has(event_id):
            return
        who = _who(run_id, plan)
        pipeline = plan["pipeline"]["spec"]["name"] if "pipeline" in plan else None
        _log.error("Run %s was taken over too often and is given up", run_id)
        try:
            if pipeline is not None:
                key = f"@{run_id}-given-up-{at_ms}"
                told = {"run_id": run_id, "pipeline": pipeline, "actor": who["actor"]}
                send_failure(self._database, **told, why=GIVEN_UP, key=key)
            self._log.publish(self._outbox, RunFailed(**who, error=GIVEN_UP), id=event_id)
        except UnavailableError:
            raise
        except OrchestratorError as error:
            _log.warning("Nobody was told that run %s is given up: %s", run_id, error)

    async def _told(self, run_id: str, what: str, event: Event) -> None:
        await asyncio.to_thread(self._publish, run_id, what, event)

    def _publish(self, run_id: str, what: str, event: Event) -> None:
        try:
            self._log.publish(self._outbox, event, id=_event_id(run_id, what))
        except OrchestratorError as error:
            _log.warning("Nobody was told that run %s has %s: %s", run_id, what, error)


def _event_id(run_id: str, what: str) -> str:
    return f"{run_id}:{what}"[-64:]


def _who(run_id: str, plan: Mapping[str, Any]) -> dict[str, str]:
    return {"run_id": run_id, "workflow": str(plan["workflow"]), "actor": str(plan["actor"])}
