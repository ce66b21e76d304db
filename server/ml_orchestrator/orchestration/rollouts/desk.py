"""Planning, starting, following and deciding roll-outs; a worker carries them out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.orchestration.rollouts.approving import subject_of
from ml_orchestrator.orchestration.rollouts.describing import plan_of, status_of
from ml_orchestrator.orchestration.rollouts.opening import open_journal, open_outcomes
from ml_orchestrator.program import program
from ml_orchestrator.registry.models import Approval, MovePlan
from ml_orchestrator.registry.names import check_model
from ml_orchestrator.registry.policies import AliasPolicy
from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.gates import Tally
from ml_orchestrator.serving.rollout.models import (
    Choice,
    RolloutPlan,
    RolloutSpec,
    RolloutStatus,
)
from ml_orchestrator.serving.rollout.outcomes import Reported, RequestOutcome
from ml_orchestrator.storage.engine import Database

if TYPE_CHECKING:  # heavy: opened by the doors
    from ml_orchestrator.registry.desk import RegistryDesk

__all__ = ["RolloutDesk", "read_spec"]

MOST_OUTCOMES = 10_000
_UNGUARDED = (
    "gates: none would be watched and no person would approve the switch, and @{alias} is "
    "protected by its policy; name a gate, or approval: before_promotion"
)


class RolloutDesk:
    """What a service needs to know and write about roll-outs. Thread-safe."""

    def __init__(self, database: Database, registry: "Callable[[], RegistryDesk]") -> None:
        self._journal = open_journal(database)
        self._outcomes = open_outcomes(database)
        self._registry = registry

    def describe(self) -> str:
        """Return how many are under way, in a line for people."""
        return f"{self._journal.n_under_way()} roll-outs under way"

    def plan(
        self,
        model: str,
        version: int,
        *,
        alias: str,
        expected_version: int | None,
        spec: Mapping[str, Any],
        actor: str,
    ) -> RolloutPlan:
        """Return what a roll-out would do and what stands in its way; nothing is written.

        Raises:
            InvalidInputError: the specification cannot be used.
            ConflictError: the alias does not point to ``expected_version``.
            NotFoundError: no such model or version.
        """
        wanted = read_spec(spec)
        request = MoveRequest(
            model=model,
            alias=alias,
            version=version,
            expected_version=expected_version,
            actor=actor,
            reason="A roll-out is planned.",
        )
        move = self._registry().mover.plan(request).plan
        if move.needs_approval:
            wanted = wanted.model_copy(update={"approval": "before_promotion"})
        return plan_of(move, wanted, obstacles=tuple(self._obstacles(move, wanted)))

    def start(self, plan: RolloutPlan, *, actor: str, reason: str, key: str | None) -> str:
        """Record a roll-out as pending and return its id.

        Raises:
            ConflictError: something stands in its way, or the key was used for another one.
        """
        if plan.obstacles:
            raise ConflictError(
                f"{plan.model!r} is not rolled out to version {plan.to_version}: "
                f"{'; '.join(plan.obstacles)}."
            )
        return self._journal.begin(plan, actor=actor, reason=reason, key=key)

    def started_with(self, key: str | None, *, actor: str) -> str | None:
        """Return the roll-out that this key started before."""
        return None if key is None else self._journal.started_with(key, actor=actor)

    def plan_on_record(self, rollout_id: str) -> RolloutPlan:
        """Return the plan of a roll-out that was started."""
        rollout = self._journal.get(rollout_id)
        return plan_of(rollout, rollout.spec, obstacles=())

    def status(self, rollout_id: str, *, n_events: int = 40) -> RolloutStatus:
        """Return where a roll-out is, with its last events.

        Raises:
            NotFoundError: there is none of this id.
        """
        rollout = self._journal.get(rollout_id)
        return status_of(
            rollout,
            self._journal.events(rollout_id, limit=n_events),
            is_decided=self._journal.decision(rollout) is not None,
        )

    def latest(self, model: str) -> str:
        """Return the id of the newest roll-out of a model.

        Raises:
            InvalidInputError: it never had one.
        """
        found = self._journal.latest(check_model(model))
        if found is None:
            raise InvalidInputError(
                f"{model!r} was never rolled out here; deployment_start begins one."
            )
        return found.id

    def decide(
        self, rollout_id: str, choice: Choice, *, actor: str, reason: str, key: str | None
    ) -> None:
        """Hand a decision to the worker.

        Promotion while the switch itself waits for a person hands nothing on: with the person's
        approval the worker goes on by itself.

        Raises:
            ConflictError: it makes no sense in this state.
            ApprovalRequiredError: promotion past a gate that did not pass, or of a switch that
                waits for it, needs a person.
            PermissionDeniedError: a person rejected it.
        """
        rollout, approved_by = self._journal.get(rollout_id), None
        if key is None or not self._journal.has_decided(key, actor=actor):
            _refuse_what_makes_no_sense(rollout, choice)
            is_promotion = choice == "promote" and not _is_late(rollout)
            if is_promotion and (waiting := _switch_approval(rollout)):
                self._registry().approvals.given(waiting)
                self._journal.note_decision(rollout_id, choice, actor=actor, reason=reason, key=key)
                return
            approved_by = self._approved(rollout, actor) if is_promotion else None
        self._journal.decide(
            rollout_id, choice, actor=actor, reason=reason, approved_by=approved_by, key=key
        )

    def ask_approval(
        self, rollout_id: str, choice: Choice, *, actor: str, key: str | None
    ) -> Approval | None:
        """Return the approval that a decision needs, asked for now unless it was; None if none.

        Raises what ``decide`` raises for one that makes no sense anyway.
        """
        rollout = self._journal.get(rollout_id)
        is_known = key is not None and self._journal.has_decided(key, actor=actor)
        if choice != "promote" or is_known or _is_late(rollout):
            return None
        _refuse_what_makes_no_sense(rollout, choice)
        if waiting := _switch_approval(rollout):
            return self._registry().approvals.find(waiting)
        return self._asked_to_let_go(rollout, actor)

    def report(self, model: str, outcomes: Sequence[RequestOutcome]) -> Reported:
        """Store what came of predictions, for the gate on the task's own loss."""
        if len(outcomes) > MOST_OUTCOMES:
            raise InvalidInputError(
                f"{len(outcomes)} outcomes at once; at most {MOST_OUTCOMES}. Send them in parts."
            )
        return self._outcomes.report(check_model(model), outcomes)

    def _obstacles(self, move: MovePlan, spec: RolloutSpec) -> list[str]:
        found = [f"{check.name}: {check.detail}" for check in move.checks if not check.ok]
        if move.from_version is None and spec.strategy in ("canary", "shadow"):
            found.append(f"{spec.strategy} needs a version that answers now; use blue_green")
        latest = self._journal.latest(move.model)
        if latest is not None and not latest.is_over:
            found.append(f"roll-out {latest.id} is {latest.state}")
        if move.from_version is not None and not spec.gates and spec.approval == "none":
            policy = self._registry().policies.of(move.model, move.alias)
            found += [_UNGUARDED.format(alias=move.alias)] if policy != AliasPolicy() else []
        return found

    def _approved(self, rollout: Rollout, actor: str) -> str | None:
        """Return the person who approves that gates are left out; None if none is left out."""
        asked = self._asked_to_let_go(rollout, actor)
        if asked is None:
            return None
        spent = self._registry().approvals.spend(subject=asked.subject, digest=asked.digest)
        return spent.decided_by

    def _asked_to_let_go(self, rollout: Rollout, actor: str) -> Approval | None:
        """Return the approval that leaves out what has not passed; None if all has."""
        undecided = [
            gate.metric
            for gate in rollout.phase.gates
            if rollout.progress.tallies.get(gate.metric, Tally()).verdict(gate) != "successful"
        ]
        if not undecided:
            return None
        plan = (
            f"Roll-out {rollout.id}: promote version {rollout.version} of {rollout.model!r} in "
            f"phase {rollout.progress.phase + 1} although these gates have not passed: "
            f"{', '.join(undecided)}."
        )
        digest = hashlib.sha256(plan.encode()).hexdigest()  # the gates, too: no others are let go
        return self._registry().approvals.request(
            subject=subject_of(rollout.id), digest=digest, summary=plan, requested_by=actor
        )


def read_spec(given: Mapping[str, Any]) -> RolloutSpec:
    """Return a specification completed with defaults.

    Raises:
        InvalidInputError: the message lists every fault, and the fields that exist.
    """
    try:
        return RolloutSpec.model_validate(dict(given))
    except ValidationError as error:
        faults = faults_of(error.errors(), whole="spec")
        known = ", ".join(RolloutSpec.model_fields)
        raise InvalidInputError(f"The roll-out cannot start: {faults}. Fields: {known}.") from error


def _switch_approval(rollout: Rollout) -> str | None:
    """Return the approval of the switch that a roll-out waits for, if it does."""
    progress = rollout.progress
    is_waiting = rollout.state == "paused" and progress.paused_for == "approval"
    return progress.approval_id if is_waiting else None


def _is_late(rollout: Rollout) -> bool:
    """Say whether nothing is left to decide; the journal refuses it, and nobody is asked."""
    return rollout.is_over or rollout.state == "rolling_back"


def _refuse_what_makes_no_sense(rollout: Rollout, choice: Choice) -> None:
    is_paused, progress = rollout.state == "paused", rollout.progress
    if choice == "resume" and progress.paused_for == "approval":
        raise ConflictError(
            f"Roll-out {rollout.id} waits for a person: `{program()} approve "
            f"{progress.approval_id or 'ID'}`."
        )
    if (choice == "resume" and not is_paused) or (choice == "pause" and is_paused):
        raise ConflictError(f"Roll-out {rollout.id} is {rollout.state}; {choice} changes nothing.")
    is_early = rollout.state in ("pending", "verifying", "loading")
    is_early |= progress.paused_in in ("pending", "verifying", "loading")
    if choice == "promote" and is_early:
        raise ConflictError(f"Roll-out {rollout.id} has not loaded the version yet; wait for it.")
