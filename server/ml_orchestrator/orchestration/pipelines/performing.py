"""Doing one unit of a pipeline in a worker: wait, look in the cache, be admitted, run, check."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from ml_orchestrator.errors import InvalidInputError, OrchestratorError, UnavailableError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.orchestration.execution import Job, StepFailedError
from ml_orchestrator.orchestration.pipelines.admission import Admission, of_this_machine
from ml_orchestrator.orchestration.pipelines.approving import PipelineApprovals
from ml_orchestrator.orchestration.pipelines.cache import StepCache, key_of
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.pipelines.sizing import check_size
from ml_orchestrator.orchestration.pipelines.telling import tell_failure
from ml_orchestrator.orchestration.pipelines.units import Unit
from ml_orchestrator.orchestration.pipelines.usable import given_by, taken_by
from ml_orchestrator.orchestration.progress import ProgressStore, Reporter
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.steps._base import run_folder
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["Performer"]

T = TypeVar("T")
LOOK_S, LOOK_LATER_S, LATER_AFTER_S = 0.25, 2.0, 60.0
MAX_OUTPUT_BYTES = 256_000
ATTEMPTS_PER_RUN = 100  # more than a step may have
_log = logging.getLogger(__name__)


class AtWork(Protocol):
    """What surrounds the work of a step: it may keep that from beginning."""

    def __call__(self, *, only_waits: bool) -> AbstractAsyncContextManager[None]:
        """Return what is entered before the step begins and left when it is over."""
        ...


@asynccontextmanager
async def _at_once(*, only_waits: bool) -> AsyncIterator[None]:
    yield


class Performer:
    """Does the units of a worker's pipelines; ``execute`` runs one step of the catalogue.

    What ``at_work`` returns surrounds each step once it was admitted, outside of its time limit.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        execute: Callable[[Job], Awaitable[dict[str, Any]]],
        admission: Admission | None = None,
        *,
        at_work: AtWork = _at_once,
    ) -> None:
        self._settings = settings
        self._database = database
        self._execute = execute
        self._admission = admission or of_this_machine()
        self._at_work = at_work
        self._cache = StepCache(settings.home)
        self._progress = ProgressStore(database)
        self._approvals = PipelineApprovals(database)

    async def perform(self, unit: Unit) -> dict[str, Any]:
        """Return the output of a unit, or why it failed: what is recorded of it."""
        await asyncio.sleep(unit.wait_s)
        try:
            return await self._result(unit)
        except TimeoutError:
            what = "Nobody decided" if unit.uses == APPROVAL else "It was not done"
            return {"error": f"{what} within timeout_s ({unit.timeout_s:g} s)."}
        except StepFailedError as error:
            return {"error": str(error), "is_final": error.is_final}
        except OrchestratorError as error:
            return {"error": str(error), "is_final": not isinstance(error, UnavailableError)}
        except Exception:  # noqa: BLE001 nobody above would tell it; the run goes on without
            _log.exception("Step %s of run %s failed", unit.name, unit.run_id)
            return {"error": "It failed unexpectedly. See logs/worker.log of the data directory."}

    def withdraw(self, run_id: str, steps: list[str]) -> None:
        """Ask nobody any more about the approvals of a run that was cancelled."""
        for step in steps:
            self._approvals.withdraw(run_id, step)

    async def tell_failure(self, run_id: str, pipeline: str, actor: str, why: str) -> bool:
        """Tell the agent that started a run what failed; True if there is one."""
        return await asyncio.to_thread(
            tell_failure, self._database, run_id=run_id, name=pipeline, actor=actor, why=why
        )

    async def _result(self, unit: Unit) -> dict[str, Any]:
        inputs = await asyncio.to_thread(_checked_inputs, unit)
        if unit.uses != APPROVAL:
            return await self._output(unit, inputs)
        try:
            async with asyncio.timeout(unit.timeout_s):
                return await self._approved(unit)
        except TimeoutError:
            await asyncio.to_thread(self._approvals.give_up, unit)
            raise

    async def _output(self, unit: Unit, inputs: dict[str, Any]) -> dict[str, Any]:
        key = await asyncio.to_thread(self._key, unit, inputs) if unit.cache else None
        if key and (cached := await asyncio.to_thread(self._cache.get, key)):
            return {"output": cached.output, "cached_from": cached.run_id}
        step = STEPS[unit.uses]
        is_isolated = step.isolated or unit.timeout_s is not None
        cpu = step.cpu if unit.cpu is None else unit.cpu
        granted = self._admission.granted(cpu, unit.memory_mb)
        async with granted, self._at_work(only_waits=step.waits):
            async with asyncio.timeout(unit.timeout_s):
                output = await self._execute(_job(unit, inputs, is_isolated))
        await asyncio.to_thread(_check_output, unit.uses, output)
        if key:
            await asyncio.to_thread(self._keep, key, unit, output)
        return {"output": output}

    def _key(self, unit: Unit, inputs: Mapping[str, Any]) -> str:
        return key_of(unit.uses, unit.version, inputs, taken_by(unit.uses), self._settings)

    def _keep(self, key: str, unit: Unit, output: Any) -> None:
        run_folder(self._settings, unit.run_id, unit.place)
        self._cache.put(key, output, run_id=unit.run_id, place=unit.place)

    async def _approved(self, unit: Unit) -> dict[str, Any]:
        approval = await _patiently(lambda: self._approvals.ask(unit))
        report = Reporter(self._progress, unit.run_id, unit.name)
        waits = f"waits for a person: {program()} approve {approval.id}"
        await asyncio.to_thread(report, 0.0, waits)
        waited_s = 0.0
        while (result := await _patiently(lambda: self._approvals.result(approval))) is None:
            look_s = LOOK_S if waited_s < LATER_AFTER_S else LOOK_LATER_S
            await asyncio.sleep(look_s)
            waited_s += look_s
        return result


async def _patiently(ask: Callable[[], T]) -> T:
    """Return what the database says once it is there: a person is waited for all the same."""
    is_away = False
    while True:
        try:
            return await asyncio.to_thread(ask)
        except UnavailableError as error:
            if not is_away:
                _log.warning("A step that waits for a person waits for the database: %s", error)
            is_away = True
        await asyncio.sleep(LOOK_LATER_S)


def _job(unit: Unit, inputs: dict[str, Any], is_isolated: bool) -> Job:
    return Job(
        run_id=unit.run_id,
        workflow=f"pipeline:{unit.pipeline}",
        step=unit.name,
        actor=unit.actor,
        params=inputs,
        inputs={},
        attempt=(unit.run_attempt - 1) * ATTEMPTS_PER_RUN + unit.attempt,
        uses=unit.uses,
        place=unit.place,
        is_isolated=is_isolated,
    )


def _checked_inputs(unit: Unit) -> dict[str, Any]:
    """Return the inputs checked and completed with defaults.

    Raises:
        InvalidInputError: the message names each that cannot be used, or they are too large.
    """
    check_size(unit.inputs, f"The inputs of {unit.uses!r}")
    try:
        model = taken_by(unit.uses).model_validate_json(json.dumps(unit.inputs), strict=True)
    except ValidationError as error:
        faults = faults_of(error.errors()[:8], whole="inputs")
        raise InvalidInputError(f"The inputs of {unit.uses!r} cannot be used: {faults}.") from error
    return model.model_dump(mode="json")


def _check_output(uses: str, output: Any) -> None:
    """Refuse an output that later steps could not rely on.

    Raises:
        InvalidInputError: it is not what the step says it gives, or too large to record.
    """
    text = json.dumps(output)
    if len(text) > MAX_OUTPUT_BYTES:
        raise InvalidInputError(
            f"The output of {uses!r} has {len(text):,} bytes; at most {MAX_OUTPUT_BYTES:,} are "
            "recorded. Write it to a file and return the path."
        )
    try:
        given_by(uses).model_validate_json(text)
    except ValidationError as error:
        fault = faults_of(error.errors()[:1], whole="output")
        raise InvalidInputError(f"{uses!r} did not give what it says it gives: {fault}.") from error
