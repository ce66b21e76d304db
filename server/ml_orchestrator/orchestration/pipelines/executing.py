"""Carrying a pipeline out: each step as soon as those it needs are over, its units recorded.

This module knows no engine. Whoever calls it reserves a place in a record for every unit, in an
order that follows from the plan alone; a run that goes on after a crash reserves the same places
and gets back from them what was recorded, whatever order the steps ended in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.execution import StepFailedError
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.pipelines.planning import FORM
from ml_orchestrator.orchestration.pipelines.references import Scope, resolved
from ml_orchestrator.orchestration.pipelines.settling import (
    Settled,
    items_of,
    result_of,
    scope_of,
    settled_without,
    together,
)
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit, unit_name
from ml_orchestrator.orchestration.steps import STEPS

__all__ = ["Record", "carry_out", "check_versions", "failed"]

Record = Callable[[Unit], Awaitable[dict[str, Any]]]
"""Does a unit and records the result, or returns what was recorded of it.

A result holds ``output``, or ``error`` and ``is_final``.
"""


async def carry_out(
    plan: StoredPlan, *, run_id: str, run_attempt: int, reserve: Callable[[str], Record]
) -> dict[str, Any]:
    """Return the result of a run once all its steps are over.

    A step that fails does not stop those that do not need it.

    Raises:
        StepFailedError: a step failed, or this release cannot carry the plan out.
    """
    check_versions(plan)
    return await _Run(plan, run_id, run_attempt, reserve).result()


def check_versions(plan: StoredPlan) -> None:
    """Refuse a plan that an older or newer release wrote and this one would carry out otherwise.

    Raises:
        StepFailedError: the form or the version of a step is another one; the message says what
            to do.
    """
    changed = [
        f"{name} has version {now} and was planned with {then}"
        for name, then in plan.versions.items()
        if (now := _version(name)) != then
    ]
    if plan.form != FORM:
        changed = [f"its plan has form {plan.form} and this release carries out form {FORM}"]
    if changed:
        raise StepFailedError(
            f"The run was planned by another release: {'; '.join(changed)}. Nothing more is done "
            "of it. Start the pipeline anew; steps with cache: true keep their outputs.",
            is_final=True,
        )


def failed(settled: Mapping[str, Settled]) -> str:
    """Return in words which steps failed, and why."""
    return " ".join(
        _failure(name, str(found.error))
        for name, found in settled.items()
        if found.state == "failed"
    )


def _failure(name: str, error: str) -> str:
    """Return why a step failed; what names it already is not named twice."""
    begun = f"Step {name!r} failed"
    return error if error.startswith(begun) else f"{begun}: {error}"


def _version(name: str) -> int | str:
    if name not in STEPS:
        return "nowhere"
    signature = STEPS[name].signature
    return "no signature" if signature is None else signature.version


class _Run:
    """One run of one plan."""

    def __init__(
        self, plan: StoredPlan, run_id: str, run_attempt: int, reserve: Callable[[str], Record]
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._run_attempt = run_attempt
        self._settled: dict[str, Settled] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._records = {
            unit: reserve(unit) for name in plan.order for unit in self._units_of(name)
        }

    def _units_of(self, name: str) -> list[str]:
        step = self._plan.spec.steps[name]
        items = [None] if step.for_each is None else [*range(self._plan.max_items)]
        attempts = range(1, step.retries.max + 2)
        return [unit_name(name, item, attempt) for item in items for attempt in attempts]

    async def result(self) -> dict[str, Any]:
        for name in self._plan.order:
            self._tasks[name] = asyncio.create_task(self._settle(name))
        try:
            await _all_of(list(self._tasks.values()))
        finally:
            await _ended(list(self._tasks.values()))
        in_order = {name: self._settled[name] for name in self._plan.order}
        if message := failed(in_order):
            raise StepFailedError(message)
        try:
            return result_of(self._plan, self._scope())
        except InvalidInputError as error:
            raise StepFailedError(f"Its outputs cannot be told: {error}") from error

    def _scope(self) -> Scope:
        return scope_of(self._plan, self._settled, self._run_id)

    async def _settle(self, name: str) -> None:
        if needed := [self._tasks[each] for each in self._plan.needs[name]]:
            await asyncio.wait(needed)
        if any(task.cancelled() or task.exception() for task in needed):
            return  # the run ends as a whole, with what that one raised
        scope = self._scope()
        if settled := settled_without(self._plan, name, self._settled, scope):
            self._settled[name] = settled
            return
        try:
            items = items_of(self._plan, name, scope)
        except InvalidInputError as error:
            self._settled[name] = Settled("failed", error=str(error))
            return
        if items is None:
            self._settled[name] = await self._try(name, None, scope)
            return
        each = [
            asyncio.create_task(self._try(name, number, self._with_item(scope, item)))
            for number, item in enumerate(items)
        ]
        try:
            await _all_of(each)
        finally:
            await _ended(each)
        self._settled[name] = together([task.result() for task in each])

    @staticmethod
    def _with_item(scope: Scope, item: Any) -> Scope:
        return Scope(scope.params, scope.outputs, scope.run_id, item)

    async def _try(self, name: str, item: int | None, scope: Scope) -> Settled:
        """Run one item of a step until it succeeds or its retries are used up."""
        if carried := self._plan.carried.get(unit_name(name, item)):
            return Settled("succeeded", carried["output"])
        step, found = self._plan.spec.steps[name], Settled("failed", error="It was not run.")
        for attempt in range(1, step.retries.max + 2):
            try:
                unit = self._unit(name, item, attempt, scope)
            except InvalidInputError as error:
                return Settled("failed", error=str(error))
            result = await self._records[unit_name(name, item, attempt)](unit)
            if "output" in result:
                return Settled("succeeded", result["output"])
            found = Settled("failed", error=result["error"])
            if result.get("is_final"):
                break
        return found

    def _unit(self, name: str, item: int | None, attempt: int, scope: Scope) -> Unit:
        plan, step = self._plan, self._plan.spec.steps[name]
        return Unit(
            run_id=self._run_id,
            pipeline=plan.spec.name,
            digest=plan.digest,
            actor=plan.actor,
            step=name,
            item=item,
            attempt=attempt,
            run_attempt=self._run_attempt,
            uses=step.uses,
            version=0 if step.uses == APPROVAL else plan.versions[step.uses],
            inputs=resolved(step.with_, scope),
            wait_s=step.retries.wait_s(attempt),
            timeout_s=step.timeout_s,
            cache=step.cache,
            cpu=step.resources.cpu,
            memory_mb=step.resources.memory_mb,
        )


async def _all_of(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for all; what one of them raises is raised at once."""
    if not tasks:
        return
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel what goes on and wait until it has tidied up."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
