"""Roll-outs: planned, started, followed and decided here; carried out by a worker."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from ml_orchestrator.errors import ConflictError, NotFoundError
from ml_orchestrator.orchestration.workflows import carry_out
from ml_orchestrator.registry.models import Approval
from ml_orchestrator.serving.rollout.models import (
    Choice,
    RolloutPlan,
    RolloutPlanned,
    RolloutStatus,
)
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:  # heavy: opened by the doors
    from ml_orchestrator.orchestration._dbos.client import RunClient
    from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
    from ml_orchestrator.serving.rollout.outcomes import Reported, RequestOutcome

__all__ = ["OnRollout", "RolloutService"]

LOOK_S = 0.25
MOST_RUNS = 5
LATE_EVERY_S = 60.0
OnRollout = Callable[[RolloutStatus], Awaitable[None]]


@traced
class RolloutService:
    """Brings versions before users step by step, and back by itself if they are worse.

    Whoever looks at an unfinished roll-out also makes sure that a worker is there to finish it,
    unless this server may only read.
    """

    def __init__(
        self,
        desk: "Callable[[], RolloutDesk]",
        *,
        client: "Callable[[], RunClient]",
        is_read_only: bool = False,
    ) -> None:
        self._desk = desk
        self._client = client
        self._is_read_only = is_read_only

    async def start(
        self,
        model: str,
        version: int,
        *,
        alias: str,
        expected_version: int | None,
        spec: Mapping[str, Any],
        actor: str,
        reason: str,
        dry_run: bool = False,
        plan_digest: str | None = None,
        idempotency_key: str | None = None,
    ) -> RolloutPlanned:
        """Plan a roll-out and, unless it is a dry run, begin it; the same key again returns it.

        Raises:
            InvalidInputError: the specification cannot be used.
            ConflictError: the alias, the plan or the key is not as expected, or something stands
                in the way.
            NotFoundError: no such model or version.
        """

        def act() -> RolloutPlanned:
            desk = self._desk()
            if known := desk.started_with(idempotency_key, actor=actor):
                return RolloutPlanned(plan=desk.plan_on_record(known), rollout=self._look(known))
            plan = desk.plan(
                model,
                version,
                alias=alias,
                expected_version=expected_version,
                spec=spec,
                actor=actor,
            )
            if dry_run:
                return RolloutPlanned(plan=plan, rollout=None)
            _require_digest(plan, plan_digest)
            begun = desk.start(plan, actor=actor, reason=reason, key=idempotency_key)
            return RolloutPlanned(plan=plan, rollout=self._look(begun))

        return await run_sync(act)

    async def status(
        self, reference: str, *, wait_s: float = 0.0, on_progress: OnRollout | None = None
    ) -> RolloutStatus:
        """Return where a roll-out is, as soon as it is over or needs somebody, or after ``wait_s``.

        Args:
            reference: Its id, or a model's name for the newest of that model.
            wait_s: In seconds.
            on_progress: Called while waiting, whenever something was recorded.

        Raises:
            NotFoundError: there is none.
        """
        rollout_id = await run_sync(self._resolve, reference)
        deadline, told = time.monotonic() + wait_s, ""
        while True:
            status = await run_sync(self._look, rollout_id)
            if on_progress and status.updated_at != told:
                told = status.updated_at
                await on_progress(status)
            remaining_s = deadline - time.monotonic()
            if status.is_over or status.needs is not None or remaining_s <= 0:
                return status
            await anyio.sleep(min(LOOK_S, remaining_s))

    async def decide(
        self,
        rollout_id: str,
        choice: Choice,
        *,
        actor: str,
        reason: str,
        idempotency_key: str | None = None,
    ) -> RolloutStatus:
        """Pause, resume, abort, roll back or promote; the worker acts on it within a second.

        Raises:
            ApprovalRequiredError: promotion past a gate that did not pass needs a person.
            ConflictError: the choice makes no sense in this state.
            NotFoundError: there is no such roll-out.
        """

        def act() -> RolloutStatus:
            self._desk().decide(rollout_id, choice, actor=actor, reason=reason, key=idempotency_key)
            return self._look(rollout_id)

        return await run_sync(act)

    async def ask_approval(
        self, rollout_id: str, choice: Choice, *, actor: str, idempotency_key: str | None
    ) -> Approval | None:
        """Return the approval that a decision needs, asked for now unless it was; None if none.

        Raises what ``decide`` raises for one that makes no sense anyway.
        """
        return await run_sync(
            lambda: self._desk().ask_approval(rollout_id, choice, actor=actor, key=idempotency_key)
        )

    async def report_outcomes(self, model: str, outcomes: "Sequence[RequestOutcome]") -> "Reported":
        """Hand the truth about predictions in, for the gate on the task's own loss."""
        return await run_sync(lambda: self._desk().report(model, outcomes))

    def _resolve(self, reference: str) -> str:
        try:
            return self._desk().status(reference, n_events=1).rollout_id
        except NotFoundError:
            if reference.startswith("rollout-"):
                raise
            return self._desk().latest(reference)

    def _look(self, rollout_id: str) -> RolloutStatus:
        status = self._desk().status(rollout_id)
        if not status.is_over and not self._is_read_only:
            self._ensure_run(rollout_id, status.actor)
        return status

    def _ensure_run(self, rollout_id: str, actor: str) -> None:
        """See to it that a run carries the roll-out out, also after one that failed.

        Once ``MOST_RUNS`` have failed, another is tried every ``LATE_EVERY_S`` seconds at most.
        """
        client = self._client()
        late = f"late-{int(time.time() // LATE_EVERY_S)}"
        for name in (*range(1, MOST_RUNS + 1), late):
            if not carry_out(client, rollout_id, actor=actor, attempt=name).is_over:
                break
        client.wake()


def _require_digest(plan: RolloutPlan, plan_digest: str | None) -> None:
    if plan_digest not in {None, plan.digest}:
        raise ConflictError(
            f"The plan for {plan.model!r} is no longer the one that was looked at (digest "
            f"{plan.digest}). Make a dry run again."
        )
