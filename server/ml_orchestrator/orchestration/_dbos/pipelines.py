"""Pipelines on DBOS: a place in the record is reserved for every unit before the first begins."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from dbos import DBOS, StepOptions
from dbos import error as dbos_errors

from ml_orchestrator.orchestration.attempts import attempt_of, first_of
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit

__all__ = ["Performs", "run_pipeline"]

TOLD = "(told)"  # no step is called so


class Performs(Protocol):
    """Does the units of pipelines (``orchestration.pipelines.performing.Performer``)."""

    async def perform(self, unit: Unit) -> dict[str, Any]:
        """Return what is recorded of a unit."""
        ...

    def withdraw(self, run_id: str, steps: list[str]) -> None:
        """Ask nobody any more for the approvals of a cancelled run."""
        ...

    async def tell_failure(self, run_id: str, pipeline: str, actor: str, why: str) -> bool:
        """Tell who started a run that it failed."""
        ...


async def run_pipeline(
    plan: dict[str, Any], performer: Performs, recorded: Callable[[], AbstractContextManager[None]]
) -> dict[str, Any]:
    """Carry a pipeline out inside the workflow that called; what is recorded is not done again.

    Each unit with its recording is surrounded by what ``recorded`` returns.
    """
    stored, run_id = StoredPlan.of(plan), first_of(str(DBOS.workflow_id))
    try:
        return await carry_out(
            stored,
            run_id=run_id,
            run_attempt=attempt_of(str(DBOS.workflow_id)),
            reserve=lambda name: _reserved(name, performer, recorded),
        )
    except StepFailedError as error:
        if not error.is_final:  # every unit has its place by now, and this comes after them
            told = (str(DBOS.workflow_id), stored.spec.name, stored.actor, str(error))
            await DBOS.run_step_async({"name": TOLD}, performer.tell_failure, *told)
        raise
    except dbos_errors.DBOSWorkflowCancelledError:
        steps = [n for n, step in stored.spec.steps.items() if step.uses == APPROVAL]
        await asyncio.to_thread(performer.withdraw, run_id, steps)
        raise


def _reserved(
    name: str, performer: Performs, recorded: Callable[[], AbstractContextManager[None]]
) -> Record:
    place = DBOS.reserve_step()
    options: StepOptions = {"name": name, "preemptible": True}

    async def record(unit: Unit) -> dict[str, Any]:
        with recorded():
            return await place.run_async(options, performer.perform, unit)

    return record
