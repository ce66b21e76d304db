"""Durable workflows: start a run, follow it, stop it."""

import hashlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from ml_orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError
from ml_orchestrator.faults import near
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.events.kinds import RunCancelled
from ml_orchestrator.orchestration.events.publishing import Publish, nobody
from ml_orchestrator.orchestration.models import RunList, RunProgress, RunStatus, StepStatus
from ml_orchestrator.orchestration.run_filter import ASKED_FOR, RunFilter
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.steps._base import STOP_FILE, run_folder
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.orchestration.workflows import WORKFLOWS, Workflow, validated
from ml_orchestrator.orchestration.workflows.shipped import shipped, shipped_names
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:
    from ml_orchestrator.orchestration._dbos.client import RunClient
    from ml_orchestrator.orchestration.pipelines.planning import Planned
    from ml_orchestrator.orchestration.progress import ProgressStore

__all__ = ["OnProgress", "WorkflowOrchestrator"]

LOOK_S = 0.25
MOST_REPORTS = 200
_PIPELINES = "ml_orchestrator.orchestration.pipelines"
_log = logging.getLogger(__name__)
OnProgress = Callable[[RunStatus], Awaitable[None]]


@traced
class WorkflowOrchestrator:
    """Owns runs. They execute in a detached worker and survive this process.

    Whoever looks at an unfinished run also makes sure that a worker is there to finish it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        client: "Callable[[], RunClient]",
        progress: "Callable[[], ProgressStore]",
        publish: Publish = nobody,
    ) -> None:
        self._settings = settings
        self._client = client
        self._progress = progress
        self._publish = publish

    async def start(
        self,
        workflow: str,
        params: Mapping[str, Any],
        *,
        actor: str,
        idempotency_key: str | None = None,
    ) -> RunStatus:
        """Queue a run and return at once; the same key again returns the same run.

        Raises:
            NotFoundError: there is no such workflow.
            InvalidInputError: the parameters or the data do not fit; nothing was queued.
            ConflictError: the key was used before with other parameters.
        """
        run_id = _run_id(workflow, actor, idempotency_key)

        def enqueue() -> RunStatus:
            found = WORKFLOWS[workflow]  # another package's is loaded now
            checked = validated(found, params)
            client = self._client()
            notices: Sequence[str] = ()
            if found.check and not (idempotency_key and client.has(run_id)):
                notices = resolve(found.check)(self._settings, checked) or ()
            begun = _with_worker(client, lambda: client.start(run_id, found, checked, actor=actor))
            return begun.model_copy(update={"notices": (*notices, *begun.notices)})

        return await run_sync(enqueue)

    async def start_named(
        self,
        name: str,
        params: Mapping[str, Any],
        *,
        actor: str,
        may: Callable[[str], None],
        idempotency_key: str | None = None,
    ) -> RunStatus:
        """Queue a workflow or a pipeline that ships, or a workflow of another package.

        Arguments and errors are those of `start` and `start_pipeline`.

        Raises:
            PermissionDeniedError: the actor has no right to what it stands for.
        """
        if (spec := await run_sync(shipped, name)) is not None:
            return await self.start_pipeline(
                spec, params, actor=actor, may=may, idempotency_key=idempotency_key
            )
        await run_sync(_check_may_start, name, may)
        return await self.start(name, params, actor=actor, idempotency_key=idempotency_key)

    async def start_pipeline(
        self,
        spec: str | Mapping[str, Any],
        params: Mapping[str, Any],
        *,
        actor: str,
        may: Callable[[str], None],
        idempotency_key: str | None = None,
    ) -> RunStatus:
        """Queue a pipeline and return at once; the same key again returns the same run.

        Args:
            spec: an object, YAML or JSON text, or the path of a file inside the declared roots.
            params: values of its parameters.
            actor: who starts it.
            may: raises if the actor has no right to a tool that a step stands for.
            idempotency_key: what has the same key is done once.

        Raises:
            InvalidInputError: the message names every fault; nothing was queued.
            PermissionDeniedError: the actor may not do what a step does.
            ConflictError: the key was used before for something else.
        """

        def enqueue() -> RunStatus:
            planned = self._planned(spec, params)
            _require_rights(f"Pipeline {planned.spec.name!r}", planned.rights, may)
            client = self._client()
            run_id = _run_id(planned.workflow, actor, idempotency_key)
            return _with_worker(client, lambda: client.start_pipeline(run_id, planned, actor=actor))

        return await run_sync(enqueue)

    async def check_pipeline(
        self, spec: str | Mapping[str, Any], params: Mapping[str, Any] | None = None
    ) -> "Planned":
        """Return a pipeline that could start, with doubts as warnings; nothing is queued.

        Without ``params`` what depends on their values is not looked at.

        Raises:
            InvalidInputError: the message names every fault.
        """
        return await run_sync(lambda: self._planned(spec, params))

    async def draw(self, status: RunStatus) -> tuple[str, bytes]:
        """Return a run's graph as text and as PNG, each step with its state and time."""

        def both() -> tuple[str, bytes]:
            text: str = resolve(f"{_PIPELINES}.drawing:graph_text")(status)
            png: bytes = resolve(f"{_PIPELINES}.picture:graph_png")(status)
            return text, png

        return await run_sync(both)

    def _planned(
        self, spec: str | Mapping[str, Any], params: Mapping[str, Any] | None
    ) -> "Planned":
        found: Planned = resolve(f"{_PIPELINES}.planning:plan_pipeline")(
            spec, params, self._settings
        )
        return found

    async def status(
        self, run_id: str, *, wait_s: float = 0.0, on_progress: OnProgress | None = None
    ) -> RunStatus:
        """Return how a run is, as soon as it is over or after ``wait_s`` seconds.

        Args:
            on_progress: called while waiting, whenever the running step has reported anew, and
                once the run has succeeded.

        Raises:
            NotFoundError: there is no such run.
        """
        deadline = time.monotonic() + wait_s
        told: RunProgress | None = None
        while True:
            status = await run_sync(self._look, run_id)
            is_news = status.progress is not None and status.progress != told
            if on_progress and (is_news or status.state == "succeeded"):
                told = status.progress
                await on_progress(status)
            remaining_s = deadline - time.monotonic()
            if status.is_over or remaining_s <= 0:
                return status
            await anyio.sleep(min(LOOK_S, remaining_s))

    async def look(self, run_id: str) -> RunStatus:
        """Return how a run is, without seeing to it that a worker is there.

        Raises:
            NotFoundError: there is no such run.
        """
        return await run_sync(lambda: self._client().status(run_id))

    async def cancel(self, run_id: str, *, actor: str) -> RunStatus:
        """Cancel a run; an isolated step is killed within about a second.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it ended before it could be cancelled.
        """

        def act() -> RunStatus:
            status = self._client().cancel(run_id)
            told = RunCancelled(run_id=run_id, workflow=status.workflow, actor=actor)
            self._publish(told, f"{run_id}:cancelled"[-64:])
            return status

        status = await run_sync(act)
        _log.info("Run %s was cancelled by %s", run_id, actor)
        return status

    async def resume(self, run_id: str, *, actor: str) -> RunStatus:
        """Let a cancelled or failed run go on; finished steps are not run again.

        Returns:
            The run that goes on: a failed one has a next attempt with an id of its own.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it goes on or has succeeded, or was resumed before.
        """

        def ask() -> RunStatus:
            client = self._client()
            status = client.resume(run_id)
            client.wake()
            return status

        status = await run_sync(ask)
        _log.info("Run %s was resumed by %s as %s", run_id, actor, status.run_id)
        return status

    async def finish_early(self, run_id: str, *, actor: str) -> RunStatus:
        """Let a training end at its next fold with the best model so far, and return its status.

        Its search goes on to the first complete trial if there is none yet; the steps after it
        follow as always. A second time changes nothing.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is over, or its search is, or it is no training, or its files are in
                another data directory.
        """

        def ask() -> RunStatus:
            client = self._client()
            status = client.status(run_id)
            waiting = {step.name for step in status.steps if step.state in ("pending", "running")}
            if status.is_over or "search" not in waiting:
                raise ConflictError(
                    f"Run {run_id} ({status.workflow}, {status.state}) has no search that could "
                    "end early. training_status shows what it has."
                )
            client.check_files_are_here(run_id)
            (run_folder(self._settings, first_of(status.run_id)) / STOP_FILE).touch()
            return status

        status = await run_sync(ask)
        _log.info("Run %s was asked by %s to end with the best so far", run_id, actor)
        return status

    async def runs(
        self, *, limit: int = 20, cursor: str | None = None, wanted: RunFilter = ASKED_FOR
    ) -> RunList:
        """Return one page of runs, newest first; those that the clock started only if wanted."""
        return await run_sync(
            lambda: self._client().runs(limit=limit, cursor=cursor, wanted=wanted)
        )

    async def pictures(self, run_id: str) -> list[bytes]:
        """Return the plots of a run as PNG, in the order of their names; none is fine.

        Raises:
            NotFoundError: there is no such run.
        """
        status = await run_sync(lambda: self._client().status(run_id))
        folder = self._settings.home / "runs" / first_of(status.run_id) / "plots"
        return await run_sync(lambda: [path.read_bytes() for path in sorted(folder.glob("*.png"))])

    def _look(self, run_id: str) -> RunStatus:
        client = self._client()
        status = client.status(run_id)
        if status.is_over:
            return status
        client.wake()
        running = {step.name for step in status.steps if step.state == "running"}
        reports = [
            report
            for report in self._progress().newest_first(first_of(run_id), limit=MOST_REPORTS)
            if _step_of(report) in running
        ]
        shown = reports[0] if reports else None
        return status.model_copy(update={"progress": shown, "steps": _told(status, reports)})


def _check_may_start(name: str, may: Callable[[str], None]) -> None:
    """Let pass what a caller may start by name."""
    found = WORKFLOWS[name] if name in WORKFLOWS else None  # noqa: SIM401 no other is loaded
    if found is None or found.is_internal:
        known = [each for each in WORKFLOWS if not WORKFLOWS[each].is_internal]
        names = sorted([*known, *shipped_names()])
        asked = name[:80]
        raise NotFoundError(
            f"No workflow {asked!r} to start by name{near(asked, names)}; there are "
            f"{', '.join(names)}."
        )
    _require_rights(f"Workflow {name!r}", _rights_of(found), may)


def _rights_of(workflow: Workflow) -> list[str]:
    """Return the tools whose right it takes to start a workflow by name, each once."""
    signatures = [STEPS[node.step].signature for node in workflow.nodes]
    rights = {workflow.right, *(each.right for each in signatures if each is not None)}
    return sorted(right for right in rights if right is not None)


def _with_worker(client: "RunClient", start: Callable[[], RunStatus]) -> RunStatus:
    """Queue a run, and see to it that a worker is there for it."""
    client.wake()  # a worker that hangs may hold the database; this gets it killed
    status = start()
    client.wake()  # one that was leaving when we looked has left now
    return status


def _step_of(report: RunProgress) -> str:
    """Return the step of a report; that of one item of a step is named ``step[2]``."""
    return report.step.partition("[")[0]


def _told(status: RunStatus, reports: list[RunProgress]) -> list[StepStatus]:
    """Return the steps of a pipeline with what each last said; others as they are."""
    if status.pipeline is None:
        return status.steps
    said = {_step_of(report): report.message for report in reversed(reports)}
    return [
        step.model_copy(
            update={"node": step.node.model_copy(update={"doing": said.get(step.name)})}
        )
        if step.node is not None
        else step
        for step in status.steps
    ]


def _require_rights(what: str, rights: Sequence[str], may: Callable[[str], None]) -> None:
    """Refuse once, with every right that is missing."""
    refusals = []
    for right in rights:
        try:
            may(right)
        except PermissionDeniedError as error:
            refusals.append(str(error))
    if refusals:
        raise PermissionDeniedError(f"{what} was not started: {' '.join(refusals)}")


def _run_id(workflow: str, actor: str, key: str | None) -> str:
    if key is None:
        return f"run-{uuid.uuid4().hex[:16]}"
    digest = hashlib.sha256("\0".join((workflow, actor, key)).encode()).hexdigest()
    return f"run-{digest[:16]}"
