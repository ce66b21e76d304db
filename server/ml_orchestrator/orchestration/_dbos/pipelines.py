"""Pipelines on DBOS: a place in the record is reserved for every unit before the first begins."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dbos import DBOS, StepOptions
from dbos._error import DBOSWorkflowCancelledError

from ml_orchestrator.orchestration.attempts import attempt_of, first_of
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit

__all__ = ["Perform", "Withdraw", "run_pipeline"]

Perform = Callable[[Unit], Coroutine[Any, Any, dict[str, Any]]]
Withdraw = Callable[[str, list[str]], None]


async def run_pipeline(
    plan: dict[str, Any], perform: Perform, withdraw: Withdraw
) -> dict[str, Any]:
    """Carry a pipeline out inside the workflow that called; what is recorded is not done again."""
    stored, run_id = StoredPlan.of(plan), first_of(str(DBOS.workflow_id))
    try:
        return await carry_out(
            stored,
            run_id=run_id,
            run_attempt=attempt_of(str(DBOS.workflow_id)),
            reserve=lambda name: _reserved(name, perform),
        )
    except DBOSWorkflowCancelledError:
        steps = [n for n, step in stored.spec.steps.items() if step.uses == APPROVAL]
        await asyncio.to_thread(withdraw, run_id, steps)
        raise


def _reserved(name: str, perform: Perform) -> Record:
    place = DBOS.reserve_step()
    options: StepOptions = {"name": name, "preemptible": True}

    async def record(unit: Unit) -> dict[str, Any]:
        return await place.run_async(options, perform, unit)

    return record
