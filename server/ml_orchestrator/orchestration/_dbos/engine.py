"""The engine of a worker: runs queued workflows in this process."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from dbos import DBOS, DBOSPortableJSONSerializer, StepOptions
from opentelemetry.trace import get_current_span

from ml_orchestrator.orchestration._dbos.database import (
    APPLICATION,
    PLAN_VERSION,
    QUEUES,
    UNFINISHED,
    WORKFLOW,
    depths_of,
    of_pools,
    schema_of,
    typed,
)
from ml_orchestrator.orchestration._dbos.given_up import GivenUp, Tell
from ml_orchestrator.orchestration._dbos.looking import Lookers
from ml_orchestrator.orchestration._dbos.pipelines import Performs, run_pipeline
from ml_orchestrator.orchestration._dbos.standing import Standing
from ml_orchestrator.orchestration._dbos.strays import Strays
from ml_orchestrator.orchestration.attempts import attempt_of, first_of
from ml_orchestrator.orchestration.execution import Job
from ml_orchestrator.orchestration.handing_over import HandOver
from ml_orchestrator.orchestration.sharing.pools import is_shared
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.versions import check_workflow_version, foreign_version
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.spans import is_tracing

__all__ = [
    "Execute",
    "adopt",
    "has_work",
    "launch",
    "look_now",
    "mend_strays",
    "owners",
    "poll_every",
    "queue_depths",
    "shut_down",
    "stop_foreign",
    "take_no_more",
    "tell_given_up",
]

_lookers: list[Lookers] = []  # of the one engine that a process has, as DBOS has it
_standing: list[Standing] = []
_strays: list[Strays] = []
_given_up: list[GivenUp] = []
_shared: list[str] = []  # the queues that it looks at, if other engines use the database, too
# Each take-over of a run counts as one; a run that kills its worker ends some time.
MAX_RECOVERY_ATTEMPTS = 50

Execute = Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]
InThread = Callable[[Job], dict[str, Any]]


class Tells(Protocol):
    """Told how runs begin and end (``orchestration.run_news.RunNews``); it does not fail."""

    async def started(self, run_id: str, plan: Mapping[str, Any]) -> None:
        """Tell that a run began."""
        ...

    async def finished(
        self, run_id: str, plan: Mapping[str, Any], result: Mapping[str, Any]
    ) -> None:
        """Tell that it ended well."""
        ...

    async def failed(self, run_id: str, plan: Mapping[str, Any], error: Exception) -> None:
        """Tell that it ended otherwise."""
        ...


def launch(
    executor_id: str,
    settings: Settings,
    execute: Execute,
    performer: Performs | None = None,
    news: Tells | None = None,
    *,
    in_thread: InThread | None = None,
    hand_over: HandOver | None = None,
) -> None:
    """Start running queued workflows in this process; ``execute`` runs one step.

    Without a performer a pipeline fails; without ``news`` nobody is told. With ``in_thread`` a step
    of a built-in workflow that needs no process is done by that, in one thread with its recording.
    No step begins once ``hand_over`` was asked for.
    """
    dbos = DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": settings.workflows_url,
            "dbos_system_schema": schema_of(settings),
            "executor_id": executor_id,
            "application_version": PLAN_VERSION,
            "run_migrations": False,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            # A span for each run and step, sent by the provider that this process has.
            "enable_otlp": is_tracing(),
            "otel_attribute_format": "semconv",
        }
    )
    _register(performer, news, _Steps(execute, in_thread, hand_over or HandOver()))
    DBOS.listen_queues(())  # ours look, see Lookers
    DBOS.launch()
    names = list(of_pools(QUEUES, settings))
    if is_shared(settings):
        _shared.extend(names)
    queues = [queue for name in names if (queue := DBOS.retrieve_queue(name)) is not None]
    _standing.append(Standing(dbos, _shared))
    _lookers.append(Lookers(dbos, queues, _standing[-1]))
    _strays.append(Strays(dbos, executor_id))
    _given_up.append(GivenUp())


class _Steps:
    """Does the steps of built-in workflows, each recorded once it has finished."""

    def __init__(self, execute: Execute, in_thread: InThread | None, hand_over: HandOver) -> None:
        self._execute = execute
        self._in_thread = in_thread
        self.hand_over = hand_over

    async def done(self, job: Job) -> dict[str, Any]:
        """Return the output of a step, now done or recorded before."""
        step = STEPS[job.step]
        options: StepOptions = {"name": job.step, "preemptible": step.isolated}
        async with self.hand_over.at_work(only_waits=step.waits):
            if self._in_thread is None or step.isolated:
                return await DBOS.run_step_async(options, self._execute, job)
            return await DBOS.run_step_async(options, self._in_thread, job)


def _register(performer: Performs | None, news: Tells | None, steps: _Steps) -> None:
    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_RECOVERY_ATTEMPTS)
    async def run(plan: dict[str, Any]) -> dict[str, Any]:
        if news is None:
            return await carry_out(plan)
        run_id = str(DBOS.workflow_id)
        await news.started(run_id, plan)
        try:
            result = await carry_out(plan)
        except Exception as error:
            await news.failed(run_id, plan, error)
            raise
        await news.finished(run_id, plan, result)
        return result

    async def carry_out(plan: dict[str, Any]) -> dict[str, Any]:
        if "pipeline" in plan:
            get_current_span().update_name(f"run {plan['workflow']}")
            assert performer is not None, "this engine has nobody to do pipelines"
            return await run_pipeline(plan, performer, steps.hand_over.recorded)
        workflow = WORKFLOWS[plan["workflow"]]
        get_current_span().update_name(f"run {workflow.name}")
        check_workflow_version(plan, workflow)
        outputs: dict[str, dict[str, Any]] = {}
        result: dict[str, Any] = {}
        for name in plan["steps"]:
            node = workflow.node(name)
            job = Job(
                run_id=first_of(str(DBOS.workflow_id)),
                attempt=attempt_of(str(DBOS.workflow_id)),
                workflow=workflow.name,
                step=name,
                actor=plan["actor"],
                params=plan["params"],
                inputs=node.inputs(outputs),
            )
            outputs[name] = await steps.done(job)
            result.update(outputs[name])
            if reason := node.stops(outputs):
                return {**result, "stopped_because": reason}
        return result


def take_no_more() -> None:
    """Take no further run from the queues; those that go on do."""
    while _lookers:
        _lookers.pop().end()


def look_now() -> None:
    """Look for queued runs at once rather than when it is time."""
    for lookers in _lookers:
        lookers.look_now()


# What looks into the database raises UnavailableError while that is away.
@typed
def adopt(executor_ids: Sequence[str]) -> None:
    """Queue the runs of dead workers again; only for the one who knows that they are dead."""
    DBOS._recover_pending_workflows(list(executor_ids))


def mend_strays() -> list[str]:
    """Queue again what is ours on record while nothing here is at it; return these runs.

    To be called every few seconds: a run must be astray at two calls.
    """
    return [run_id for strays in _strays for run_id in strays.mend()]


def tell_given_up(tell: Tell) -> None:
    """Tell of the runs that were given up since the last call, with their plans.

    Raises:
        UnavailableError: a database cannot be used; the rest is told by the next call.
    """
    for given_up in _given_up:
        given_up.tell(tell)


@typed
def owners() -> set[str]:
    """Return the executor ids of those who are at a run that this engine could take over."""
    return {owner for standing in _standing for owner in standing.owners()}


@typed
def stop_foreign() -> list[str]:
    """Cancel unfinished runs that another release planned, which would wait for ever; return them.

    Only while no worker of the other release is there that may still take them.
    """
    rows = DBOS.list_workflows(
        name=WORKFLOW,
        status=list(UNFINISHED),
        queue_name=_shared or None,
        load_input=False,
        load_output=False,
    )
    foreign = [row.workflow_id for row in rows if foreign_version(row.app_version)]
    for run_id in foreign:
        DBOS.cancel_workflow(run_id)
    return foreign


@typed
def has_work() -> bool:
    """Whether any run is queued or running."""
    return any(standing.has_any() for standing in _standing)


@typed
def queue_depths() -> dict[tuple[str, str], int]:
    """Return how many runs there are by queue and state, as seen by a worker."""
    rows = DBOS.list_workflows(
        name=WORKFLOW,
        status=list(UNFINISHED),
        queue_name=_shared or None,
        load_input=False,
        load_output=False,
    )
    return depths_of(rows)


def poll_every(seconds: float) -> None:
    """Set how often this worker looks for queued runs; it also does when a run has ended here."""
    for lookers in _lookers:
        lookers.look_every(seconds)


def shut_down() -> None:
    """Stop running workflows in this process; unfinished ones wait for the next worker."""
    take_no_more()
    _standing.clear()
    _strays.clear()
    _given_up.clear()
    _shared.clear()
    DBOS.destroy()
