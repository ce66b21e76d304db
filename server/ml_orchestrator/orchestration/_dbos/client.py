"""The client of the workflow database: starts, reads, cancels and resumes runs."""

from typing import TYPE_CHECKING, Any

from dbos import EnqueueOptions, SetWorkflowID, WorkflowStatus
from opentelemetry import context as otel
from sqlalchemy.exc import IntegrityError

from ml_orchestrator.errors import (
    ConflictError,
    NotFoundError,
    QuotaExceededError,
)
from ml_orchestrator.orchestration._dbos.database import (
    PIPELINES,
    PLAN_VERSION,
    WORKFLOW,
    connect,
    depths_of,
    prepare,
    typed,
)
from ml_orchestrator.orchestration._dbos.listing import find_runs
from ml_orchestrator.orchestration._dbos.unfinished import UnfinishedRuns
from ml_orchestrator.orchestration.attempts import before_of, first_of, next_of
from ml_orchestrator.orchestration.bell import ring
from ml_orchestrator.orchestration.launch import WorkerLauncher, open_books
from ml_orchestrator.orchestration.models import RunList, RunStatus
from ml_orchestrator.orchestration.other_releases import OtherReleases, waits_for
from ml_orchestrator.orchestration.pipelines.approving import PipelineApprovals
from ml_orchestrator.orchestration.pipelines.models import APPROVAL
from ml_orchestrator.orchestration.retention.folders import held, refuse_given_up
from ml_orchestrator.orchestration.run_filter import EVERY_RUN, RunFilter
from ml_orchestrator.orchestration.sharing.homes import RunHome, RunHomes
from ml_orchestrator.orchestration.sharing.pools import (
    at_pool,
    home_id,
    origin_of,
    own_pool,
    pool_of_home,
    pools_of,
)
from ml_orchestrator.orchestration.statuses import (
    brief_status,
    carried_over,
    plan_of,
    run_status,
)
from ml_orchestrator.orchestration.versions import foreign_version
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Workflow
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database, timestamp
from ml_orchestrator.telemetry.spans import is_tracing

if TYPE_CHECKING:  # opened where a pipeline is wanted
    from ml_orchestrator.orchestration.pipelines.planning import Planned

__all__ = ["RunClient"]

_DIFFERING = frozenset({"requested_at", "version", "is_scheduled", "pool", "place"})
MOST_QUEUED = 10_000  # of one queue; what is beyond would wait for days


class RunClient:
    """Starts, reads and cancels runs from any process; runs none. Thread-safe, no threads."""

    @typed
    def __init__(self, settings: Settings) -> None:
        prepare(settings)
        self._client = connect(settings)
        self._books = open_books(settings)
        self._launcher = WorkerLauncher(settings, self._books.leases)
        self._others = OtherReleases(self._books.leases, self._books.notes)
        self._pools = pools_of(settings)
        self._unfinished = UnfinishedRuns(self._client, settings)
        self._settings = settings

    def close(self) -> None:
        """Give connections back."""
        self._client.destroy()
        self._books.close()

    @typed
    def describe(self) -> str:
        """Return how many runs wait or go on, and whether a worker is there."""
        unfinished = self._unfinished.all()
        worker = "a worker is there" if self._launcher.has_worker() else "no worker; one starts"
        return f"{len(unfinished)} unfinished runs, {worker}"

    @typed
    def depths(self) -> dict[tuple[str, str], int]:
        """Return how many runs there are by queue and state (queued, running)."""
        return depths_of(self._unfinished.all())

    @typed
    def has_unfinished(self) -> bool:
        """Whether any run is queued or goes on."""
        return self._unfinished.are_there()

    @typed
    def wake(self) -> None:
        """See to it that a worker runs.

        One of an earlier release is asked to leave if a run waits that it does not take.
        """
        self._launcher.ensure()
        others = self._others.in_the_way()
        if others and self._unfinished.wait_for_this_release():
            self._others.ask(others)

    @typed
    def start(
        self, run_id: str, workflow: Workflow, params: dict[str, Any], *, actor: str
    ) -> RunStatus:
        """Enqueue a run, or return the run that this id already names.

        Raises:
            ConflictError: the id names a run of something else.
            QuotaExceededError: too many wait in its queue already.
        """
        plan = {
            "workflow": workflow.name,
            "params": params,
            "actor": actor,
            "steps": [node.step for node in workflow.nodes],
            "version": workflow.version,
            "requested_at": timestamp(),  # DBOS keeps whole seconds on SQLite
            **origin_of(self._settings),
        }
        return self._enqueued(run_id, plan, self._queue_of(plan))

    @typed
    def start_pipeline(
        self, run_id: str, planned: "Planned", *, actor: str, is_scheduled: bool = False
    ) -> RunStatus:
        """Enqueue the run of a pipeline, or return the run that this id already names.

        ``is_scheduled`` notes that the clock started it.

        Raises:
            ConflictError: the id names a run of something else.
            QuotaExceededError: too many wait in its queue already.
        """
        plan = {
            "workflow": planned.workflow,
            "params": planned.params,
            "actor": actor,
            "steps": planned.order,
            "requested_at": timestamp(),
            "pipeline": planned.stored(),
            **({"is_scheduled": True} if is_scheduled else {}),
            **origin_of(self._settings),
        }
        return self._enqueued(run_id, plan, self._queue_of(plan))

    def _enqueued(self, run_id: str, plan: dict[str, Any], queue: str) -> RunStatus:
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": queue,
            "workflow_id": run_id,
            "app_version": PLAN_VERSION,
        }
        if is_tracing():  # the run's spans will belong to the trace of this call
            options["otel_context"] = otel.get_current()
        self._refuse_if_full(queue, run_id)
        self._client.enqueue(options, plan)
        ring(self._settings.home)
        found = self._row(run_id)
        if _asked_for(plan_of(found)) != _asked_for(plan):
            raise ConflictError(
                f"The idempotency key of run {run_id} was used before with other parameters. "
                "Send the same ones to repeat the request, or a new key for a new run."
            )
        return self._status(found)

    def _refuse_if_full(self, queue: str, run_id: str) -> None:
        """Return unless as many runs wait already as may; one that is queued is found again."""
        last = self._client.list_workflows(
            name=WORKFLOW,
            status="ENQUEUED",
            queue_name=queue,
            offset=MOST_QUEUED - 1,
            limit=1,
            load_input=False,
            load_output=False,
        )
        if last and not self.has(run_id):
            raise QuotaExceededError(
                f"{MOST_QUEUED:,} runs wait in {queue!r} already, so no more are taken. Wait until "
                f"the worker has caught up ({program()} runs list), or cancel some."
            )

    @typed
    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return bool(
            self._client.list_workflows(
                workflow_ids=[run_id], name=WORKFLOW, load_input=False, load_output=False
            )
        )

    @typed
    def status(self, run_id: str) -> RunStatus:
        """Return what is known of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        return self._status(self._row(run_id))

    @typed
    def cancel(self, run_id: str) -> RunStatus:
        """Cancel a run that is not over; a second time changes nothing.

        What it asked of a person is withdrawn here: maybe no worker is there to do it.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it ended before it could be cancelled, or another tool stops it.
        """
        plan = plan_of(self._row(run_id))
        _refuse_to_cut(plan, run_id)
        self._client.cancel_workflow(run_id)
        status = self.status(run_id)
        if status.state != "cancelled":
            raise ConflictError(f"Run {run_id} cannot be cancelled: it has {status.state}.")
        if "pipeline" in plan:
            _ask_nobody_more(self._settings, plan, run_id)
        return status

    @typed
    def resume(self, run_id: str) -> RunStatus:
        """Let a run go on that was cancelled or has failed; finished steps are not run again.

        A cancelled run goes on under its own id, as does one that was taken over too often. A
        failed one stays as it is: a next attempt of it, ``run-1.2`` after ``run-1``, begins
        with the step that failed and has the outputs of those before it.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it goes on or has succeeded, it has a later attempt, it is being
                removed, or another tool stops and resumes it.
        """
        with held(self._settings.home):  # else it could be removed as it begins to go on
            refuse_given_up(self._settings.home, run_id)
            return self._resumed(run_id)

    def _resumed(self, run_id: str) -> RunStatus:
        row = self._row(run_id)
        plan = plan_of(row)
        _refuse_to_cut(plan, run_id)
        if row.status == "ERROR":
            return self._try_again(row, self._queue_of(plan, run_id))
        if foreign := foreign_version(row.app_version):
            raise ConflictError(foreign)
        status = self._status(row)
        if status.state not in ("cancelled", "failed"):
            raise ConflictError(f"Run {run_id} needs no resuming: it is {status.state}.")
        self._client.resume_workflow(run_id, queue_name=self._queue_of(plan, run_id))
        ring(self._settings.home)
        return self.status(run_id)

    def _try_again(self, row: WorkflowStatus, queue: str) -> RunStatus:
        run_id, following = row.workflow_id, next_of(row.workflow_id)
        steps = self._client.list_workflow_steps(run_id)
        failed = [step["function_id"] for step in steps if step["error"]]
        if self.has(following):
            raise ConflictError(f"Run {run_id} was resumed before, as {following}. Look at that.")
        if "pipeline" in (plan := plan_of(row)):
            again = {**plan, "requested_at": timestamp(), "carried": carried_over(plan, steps)}
            return self._enqueued(following, again, queue)
        try:
            with SetWorkflowID(following):
                self._client.fork_workflow(
                    run_id,
                    min(failed, default=len(steps) + 1),
                    application_version=PLAN_VERSION,
                    queue_name=queue,
                )
        except IntegrityError as error:
            raise ConflictError(f"Run {run_id} is being resumed as {following}.") from error
        ring(self._settings.home)
        return self.status(following)

    @typed
    def runs(self, *, limit: int, cursor: str | None, wanted: RunFilter = EVERY_RUN) -> RunList:
        """Return one page of runs, newest first and in brief; new runs shift nothing.

        Raises:
            InvalidInputError: ``cursor`` was not made by this method.
        """
        page = find_runs(self._client, wanted, limit=limit, cursor=cursor)
        runs = sorted(map(self._brief, page.rows), key=_creation, reverse=True)
        return RunList(runs=runs, next_cursor=page.next_cursor, n_left_out=page.n_left_out)

    @typed
    def check_files_are_here(self, run_id: str) -> None:
        """Return if what is written into the run's folder here reaches the run.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: its files are in another data directory, or will be.
        """
        plan = plan_of(self._row(run_id))
        pool = plan.get("pool")
        if not self._pools or pool == own_pool(self._settings):
            return
        found = self._home_of(run_id) if pool in self._pools else None
        if found is None or found.home_id != home_id(self._settings.home):
            where = found.place if found else plan.get("place", "another data directory")
            raise ConflictError(
                f"The files of run {run_id} are not here but in {where}. Ask there."
            )

    def _queue_of(self, plan: dict[str, Any], run_id: str | None = None) -> str:
        """Return the queue of a new run, or of one that goes on: where its files are."""
        queue = PIPELINES if "pipeline" in plan else WORKFLOWS[plan["workflow"]].queue
        pool = plan.get("pool")
        found = self._home_of(run_id) if run_id and pool else None
        if found is None or found.is_movable:
            return at_pool(queue, pool)
        return at_pool(queue, pool_of_home(found.home_id))

    def _home_of(self, run_id: str) -> RunHome | None:
        database = open_database(self._settings.state_url, self._settings.home)
        try:
            return RunHomes(self._settings, database).of(first_of(run_id))
        finally:
            database.close()

    def _row(self, run_id: str) -> WorkflowStatus:
        rows = self._client.list_workflows(workflow_ids=[run_id], name=WORKFLOW)
        if rows:
            return rows[0]
        recent = self._client.list_workflows(
            name=WORKFLOW, sort_desc=True, limit=5, load_input=False, load_output=False
        )
        known = ", ".join(row.workflow_id for row in recent) or "none"
        raise NotFoundError(f"No run named {run_id!r}; the latest are: {known}.")

    def _status(self, row: WorkflowStatus) -> RunStatus:
        steps = self._client.list_workflow_steps(row.workflow_id)
        status = self._linked(run_status(row, steps))
        if status.state != "queued" or foreign_version(row.app_version):
            return status
        return status.model_copy(update={"notices": waits_for(self._others.in_the_way())})

    def _brief(self, row: WorkflowStatus) -> RunStatus:
        steps = self._client.list_workflow_steps(row.workflow_id, load_output=False)
        return self._linked(brief_status(row, steps))

    def _linked(self, status: RunStatus) -> RunStatus:
        """Return a status that names the attempts before and after, where there are such."""
        before, after = before_of(status.run_id), next_of(status.run_id)
        has_after = status.state == "failed" and self.has(after)
        links = {"resumes": before, "resumed_as": after if has_after else None}
        return status.model_copy(update=links) if any(links.values()) else status


def _asked_for(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan without what may differ between two requests for the same."""
    return {name: value for name, value in plan.items() if name not in _DIFFERING}


def _refuse_to_cut(plan: dict[str, Any], run_id: str) -> None:
    if "pipeline" in plan:
        return
    workflow = WORKFLOWS[plan["workflow"]]
    if workflow.stopped_by is not None:
        raise ConflictError(
            f"Run {run_id} of {workflow.name!r} is stopped by {workflow.stopped_by}, which leaves "
            "nothing half done."
        )


def _ask_nobody_more(settings: Settings, plan: dict[str, Any], run_id: str) -> None:
    steps = plan["pipeline"]["spec"]["steps"]
    asking = [name for name, step in steps.items() if step["uses"] == APPROVAL]
    if not asking:
        return
    database = open_database(settings.state_url, settings.home)
    try:
        approvals = PipelineApprovals(database)
        for name in asking:
            approvals.withdraw(first_of(run_id), name)
    finally:
        database.close()


def _creation(run: RunStatus) -> str:
    return run.created_at
