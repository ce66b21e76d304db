"""Pipelines on a schedule: kept whole in the data directory, started each time they are due."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ml_orchestrator.errors import NotFoundError, PermissionDeniedError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.pipelines.planning import Planned, plan_pipeline
from ml_orchestrator.orchestration.schedules import Cadence, Due, Schedule, Schedules
from ml_orchestrator.orchestration.sharing.pools import home_of
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.storage.whole_files import write_whole

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext

__all__ = ["KIND", "PipelineSchedules", "start_due"]

KIND = "pipeline"


class _Starter(Protocol):
    def start_pipeline(
        self, run_id: str, planned: Planned, *, actor: str, is_scheduled: bool = False
    ) -> RunStatus:
        """Queue a run, or return the one of this id."""
        ...


class PipelineSchedules:
    """The pipelines of a data directory that start by themselves, one schedule for each name.

    What is scheduled is the specification as it was then; a file that changes later changes
    nothing until it is scheduled again.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._schedules = Schedules(database, home_id=home_of(settings))

    def put(
        self, planned: Planned, params: Mapping[str, Any], cadence: Cadence, *, owner: str
    ) -> Schedule:
        """Schedule a pipeline, or change the schedule and specification of its name."""
        path = _file(self._settings, planned.spec.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"spec": planned.spec.plain(), "params": dict(params)}, indent=1)
        write_whole(path, content)
        name = planned.spec.name
        told = partial(_audit, "set", name, owner, starts=cadence.describe())
        return self._schedules.put(KIND, name, cadence, owner=owner, content=content, noted=told)

    def remove(self, name: str, *, actor: str) -> None:
        """Let a pipeline start by itself no more; runs that go on are left alone.

        Raises:
            NotFoundError: it has no schedule; the message lists those that have.
        """
        if not self._schedules.remove(KIND, name, noted=partial(_audit, "removed", name, actor)):
            known = ", ".join(each.key for each in self.list()) or "none"
            raise NotFoundError(f"No pipeline {name!r} is scheduled; scheduled: {known}.")
        _file(self._settings, name).unlink(missing_ok=True)

    def list(self) -> list[Schedule]:
        """Return the schedules, by name."""
        return self._schedules.list(KIND)


def start_due(context: "ScheduleContext", due: Due) -> None:
    """Start the run that a due time is worth, as the schedule's owner; done twice, it is one.

    Raises:
        NotFoundError: what was scheduled is gone.
        InvalidInputError: this release can no longer start it.
        PermissionDeniedError: this installation runs read-only.
    """
    if context.settings.mode == "read-only":
        raise PermissionDeniedError(
            f"Pipeline {due.key!r} was not started: this installation runs read-only. Remove its "
            "schedule, or run the worker without ML_ORCHESTRATOR_MODE=read-only."
        )
    path = _file(context.settings, due.key)
    if not path.is_file():
        raise NotFoundError(f"{path} is gone. Schedule the pipeline again.")
    content = json.loads(path.read_text(encoding="utf-8"))
    planned = plan_pipeline(content["spec"], content["params"], context.settings)
    starter = cast("_Starter", context.client())
    starter.start_pipeline(due.run_id, planned, actor=due.owner, is_scheduled=True)


def _audit(act: str, name: str, actor: str, connection: "Connection", **more: Any) -> None:
    audit(connection, f"schedule.{act}", actor=actor, subject=f"pipeline:{name}", **more)


def _file(settings: Settings, name: str) -> Path:
    return settings.home / "pipelines" / f"{name}.json"
