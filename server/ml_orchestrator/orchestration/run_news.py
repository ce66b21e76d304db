"""Telling that runs began and how they ended, once for each, however often they are taken over."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.orchestration.announcing import outbox_of
from ml_orchestrator.orchestration.events._log import EventLog
from ml_orchestrator.orchestration.events.definition import Event
from ml_orchestrator.orchestration.events.kinds import RunFailed, RunFinished, RunStarted
from ml_orchestrator.orchestration.pipelines.telling import send_failure, tell_failure
from ml_orchestrator.orchestration.statuses import GIVEN_UP
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["RunNews"]

MOST_ERROR = 2_000  # characters
_log = logging.getLogger(__name__)


class _Told(TypedDict):
    kind: Literal["pipeline", "workflow"]
    name: str


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
        """Publish that a run ended with an error; only messages of ours are passed on.

        The agent that started a built-in one gets a message; a pipeline sends its own.
        """
        is_ours = isinstance(error, OrchestratorError)
        said = cut(str(error), MOST_ERROR) if is_ours else "It failed unexpectedly."
        await self._told(run_id, "failed", RunFailed(**_who(run_id, plan), error=said))
        if "pipeline" not in plan and (told := _told_of(plan)):
            actor = str(plan["actor"])
            await asyncio.to_thread(
                tell_failure, self._database, run_id=run_id, actor=actor, why=said, **told
            )

    def given_up(self, run_id: str, plan: Mapping[str, Any], *, at_ms: int) -> None:
        """Publish that a run failed since it was taken over too often, and log it.

        The agent that started it is told, as of any other failure. Once is enough for each
        time that a run is given up; resumed, it goes on under the same id.

        Raises:
            UnavailableError: the database cannot be used, so it is to be told later.
            LookupError, TypeError: the plan cannot be read.
        """
        event_id = _event_id(run_id, f"given up {at_ms}")
        if self._log.has(event_id):
            return
        who = _who(run_id, plan)
        told = _told_of(plan)
        _log.error("Run %s was taken over too often and is given up", run_id)
        try:
            if told is not None:
                key = f"@{run_id}-given-up-{at_ms}"
                about = {"run_id": run_id, "actor": who["actor"], "why": GIVEN_UP}
                send_failure(self._database, **about, **told, key=key)
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


def _told_of(plan: Mapping[str, Any]) -> _Told | None:
    """Return as what an agent knows its run; None of looks and roll-outs, which tell themselves."""
    if "pipeline" in plan:
        return {"kind": "pipeline", "name": plan["pipeline"]["spec"]["name"]}
    name = str(plan["workflow"])
    if name not in WORKFLOWS or WORKFLOWS[name].queue != "runs":
        return None
    return {"kind": "workflow", "name": name}


def _who(run_id: str, plan: Mapping[str, Any]) -> dict[str, str]:
    return {"run_id": run_id, "workflow": str(plan["workflow"]), "actor": str(plan["actor"])}
