"""Carrying out alias moves: compare-and-set on MLflow, with a journal that survives a crash."""

from collections.abc import Callable, Iterable
from datetime import datetime

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.registry.aliases import Move, failed_checks, plan_move, require_expected
from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.registry.journal import AliasJournal, Intent, Standing, move_subject
from ml_orchestrator.registry.models import (
    AliasHistory,
    AliasMove,
    Approval,
    Check,
    MovePlan,
    MoveResult,
    ReconcileReport,
    VerifyReport,
)
from ml_orchestrator.registry.names import check_alias, check_model
from ml_orchestrator.registry.policies import PolicyBook
from ml_orchestrator.registry.requests import MoveRequest
from ml_orchestrator.registry.store import RegistryStore
from ml_orchestrator.registry.upkeep import AliasUpkeep

__all__ = ["AliasMover", "MoveRequest"]

MAX_SUMMARY = 4_000


class AliasMover:
    """Moves aliases one at a time per model and alias, across threads and processes.

    On one host a file lock serialises the moves of an alias; across hosts the journal's single
    live intent does. Where MLflow's database can be opened, the move itself is a compare-and-set
    that holds against every client; on a remote server, which has none, a client that writes at
    the very same moment is found by reading back and entered as observed.
    """

    def __init__(
        self,
        registry: RegistryStore,
        journal: AliasJournal,
        *,
        verify: Callable[[str, int], VerifyReport],
        policies: PolicyBook,
        approvals: Approvals,
        upkeep: AliasUpkeep,
        now: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._verify = verify
        self._policies = policies
        self._approvals = approvals
        self._upkeep = upkeep
        self._now = now

    def plan(self, request: MoveRequest) -> MoveResult:
        """Return what the move would do; nothing is moved.

        Of ``previous``, moves that other clients made are entered first, under the alias's lock.

        Raises:
            ConflictError: ``expected_version`` is stale.
            NotFoundError: no such model, version, alias or previous version.
            the errors of ``move``, for an override that is not allowed either.
        """
        if request.version == "previous":  # what others did must be on record first
            self._upkeep.catch_up(request.model, request.alias)
        plan, _ = self._planned(request)
        if request.is_override:
            _must_be_allowed(request, plan)
        return MoveResult(plan=plan, move=None, previous_version=plan.from_version)

    def ask_approval(self, request: MoveRequest) -> Approval | None:
        """Return the approval that this move needs, asked for now unless it was; None if none.

        Raises:
            the errors of ``move``, for a plan that is not allowed anyway.
        """
        if not self.may_need_approval(request):
            return None
        self._upkeep.catch_up(request.model, request.alias)
        if self._done_before(request):
            return None
        plan, _ = self._planned(request)
        _must_be_allowed(request, plan)
        return self._ask(request, plan) if plan.needs_approval else None

    def may_need_approval(self, request: MoveRequest) -> bool:
        """Say, by the policy alone, whether a person may have to approve this move."""
        policy = self._policies.of(request.model, request.alias)
        return request.is_override or policy.needs_approval(is_rollback=False)

    def move(self, request: MoveRequest) -> MoveResult:
        """Carry the move out, or return the one that this idempotency key did before.

        Raises:
            ConflictError: ``expected_version`` or ``plan_digest`` is stale, or the key was used
                for something else; nothing was changed.
            IntegrityViolationError: the version is not what was registered.
            ApprovalRequiredError: a person must approve it first; the message names how.
            PermissionDeniedError: a person rejected it, or another rule of the alias forbids it.
            NotFoundError: no such model, version, alias or previous version.
        """
        # A retry must find the move that a crash left open, and a rollback what it undoes.
        is_back = request.version == "previous"
        if is_back or request.idempotency_key is not None or self.may_need_approval(request):
            self._upkeep.catch_up(request.model, request.alias)
        if done := self._done_before(request):
            return done
        give_up_early = self._give_up_early(request)
        # Reading a whole model takes long, so that is done before others are kept waiting.
        is_slow = "is_verified" in self._policies.of(request.model, request.alias).all_gates
        report = self._allowed(request)[1] if is_slow else None
        with self._upkeep.lock(request.model, request.alias, meanwhile=give_up_early):
            if done := self._done_before(request):
                return done
            standing = self._upkeep.refresh(request.model, request.alias).standing
            _require_still(request, standing.version)
            # It may have gone away and come back since, or its policy changed: plan anew.
            plan, _ = self._allowed(request, report)
            return self._carry_out(request, plan, standing)

    def history(self, model: str, alias: str, *, limit: int) -> AliasHistory:
        """Return the moves of one alias, newest first, those by other clients included."""
        check_model(model)
        check_alias(alias)
        with self._upkeep.lock(model, alias):
            standing = self._upkeep.refresh(model, alias).standing
        return AliasHistory(
            model=model,
            alias=alias,
            current_version=standing.version,
            previous_version=standing.previous(standing.version),
            moves=self._journal.history(model, alias, limit=limit),
        )

    def moves_of(self, model: str, *, limit: int) -> tuple[AliasMove, ...]:
        """Return the last moves of every alias of ``model``, those by other clients included."""
        self._upkeep.reconcile(model)
        return self._journal.of_model(model, limit=limit)

    def reconcile(self) -> ReconcileReport:
        """Settle intents that a crash left and enter moves made by other clients."""
        return self._upkeep.reconcile()

    def _allowed(
        self, request: MoveRequest, report: VerifyReport | None = None
    ) -> tuple[MovePlan, VerifyReport | None]:
        """Return the plan if every rule lets it pass, and what its model was verified to be.

        A person is asked if one must be. ``report`` is what an earlier look verified.
        """
        plan, found = self._planned(request, report)
        _must_be_allowed(request, plan)
        if plan.needs_approval:
            self._ask(request, plan)
        return plan, found

    def _planned(
        self, request: MoveRequest, report: VerifyReport | None = None
    ) -> tuple[MovePlan, VerifyReport | None]:
        current = self._registry.alias_version(request.model, request.alias)
        move = self._look(request, current, report)
        return plan_move(move, expected_version=request.expected_version), move.verification

    def _give_up_early(self, request: MoveRequest) -> Callable[[], None]:
        """Return what a waiting move does: it leaves the queue once it cannot succeed any more.

        A retry with a key waits, since it may find its own move. Looking is cheap unless something
        moved: many who wait must not keep the winner from the processor and from MLflow.
        """
        has_moved = self._upkeep.moves_seen(request.model, request.alias)

        def look() -> None:
            if request.idempotency_key is None and has_moved():
                _require_still(request, self._registry.alias_version(request.model, request.alias))

        return look

    def _look(self, request: MoveRequest, current: int | None, report: VerifyReport | None) -> Move:
        model, alias = request.model, request.alias
        standing = self._journal.standing(model, alias)
        version = _resolve(request, standing, current)
        policy = self._policies.of(model, alias)
        is_asked = request.expected_version == current and version is not None
        target = self._registry.version(model, version) if is_asked and version else None
        has_gates = target is not None and policy.gates
        held = self._journal.held_aliases(model, version) if has_gates and version else frozenset()
        if target is None or "is_verified" not in policy.all_gates:
            report = None
        elif report is None or report.version != target.version:
            report = self._verify(model, target.version)
        return Move(
            model=model,
            alias=alias,
            current_version=current,
            target=target,
            verification=report,
            held_aliases=held | set(target.aliases if target else ()),
            policy=policy,
            actor=request.actor,
            is_rollback=standing.is_rollback(current_version=current, to_version=version),
            is_way_back=request.is_way_back,
            is_override=request.is_override,
            last_moved_at=standing.last.move.at if standing.last else None,
            now=self._now(),
        )

    def _ask(self, request: MoveRequest, plan: MovePlan) -> Approval:
        old, new = _shown(plan.from_version), _shown(plan.to_version)
        change = f"@{plan.alias} of {plan.model!r} from {old} to {new}"
        evidence = f" Evidence: {request.evidence!r}." if request.evidence else ""
        against = _named(check for check in plan.checks if not check.ok)
        change += f", against its rules ({against})" if against else ""
        return self._approvals.request(
            subject=move_subject(plan.model, plan.alias),
            digest=plan.digest,
            summary=f"{change}. {request.actor} gives as reason: {request.reason!r}.{evidence}"[
                :MAX_SUMMARY
            ],
            requested_by=request.actor,
        )

    def _carry_out(
        self, request: MoveRequest, looked_at: MovePlan, standing: Standing
    ) -> MoveResult:
        plan = _reviewed(request, looked_at)
        move = self._journal.begin(
            Intent(
                plan=plan,
                actor=request.actor,
                reason=request.reason,
                evidence=request.evidence,
                idempotency_key=request.idempotency_key,
                request_digest=request.digest,
            )
        )
        is_done = self._registry.move_alias(
            plan.model,
            plan.alias,
            from_version=plan.from_version,
            to_version=plan.to_version,
            move_id=move.id,
        )
        if not is_done:
            raise self._overtaken(move)
        self._upkeep.mirror(plan.model, plan.alias, plan.from_version, plan.to_version)
        applied = self._upkeep.settle_own(move, standing.event_seq)
        return MoveResult(plan=plan, move=applied, previous_version=plan.from_version)

    def _overtaken(self, move: AliasMove) -> ConflictError:
        self._journal.settle(move, "abandoned")
        found = self._upkeep.refresh(move.model, move.alias).standing.version
        deleted = "" if move.to_version is None else f" or deleted version {move.to_version}"
        return ConflictError(
            f"@{move.alias} of {move.model!r} was not moved: at the same moment another MLflow "
            f"client changed it{deleted}. Now it is at: {_shown(found)}. Look again, then retry."
        )

    def _done_before(self, request: MoveRequest) -> MoveResult | None:
        if request.idempotency_key is None:
            return None
        entry = self._journal.by_key(request.idempotency_key)
        if entry is None or entry.plan is None:
            return None
        if entry.request_digest != request.digest:
            raise ConflictError(
                f"Idempotency key {request.idempotency_key!r} was used for another move "
                f"({entry.move.model!r} @{entry.move.alias}); use a new key."
            )
        return MoveResult(
            plan=entry.plan, move=entry.move, previous_version=entry.move.from_version
        )


def _resolve(request: MoveRequest, standing: Standing, current: int | None) -> int | None:
    if request.version != "previous":
        return request.version
    if not standing.has_previous(current):
        raise NotFoundError(
            f"It is not on record where @{request.alias} of {request.model!r} pointed before; name "
            "the version to move it to, or null to remove it."
        )
    return standing.previous(current)


def _named(checks: Iterable[Check]) -> str:
    return "; ".join(f"{check.name}: {check.detail}" for check in checks)


def _shown(version: int | None) -> str:
    return "unset" if version is None else f"version {version}"


def _require_still(request: MoveRequest, current: int | None) -> None:
    require_expected(
        request.model,
        request.alias,
        current_version=current,
        expected_version=request.expected_version,
        to_version=request.version,
    )


def _reviewed(request: MoveRequest, looked_at: MovePlan) -> MovePlan:
    """Return the plan if it is the one that the caller looked at, if it looked at one."""
    if request.plan_digest not in {None, looked_at.digest}:
        raise ConflictError(
            f"The plan for @{request.alias} of {request.model!r} is no longer the one that "
            f"was looked at (digest {looked_at.digest}). Make a dry run again."
        )
    return looked_at


def _must_be_allowed(request: MoveRequest, plan: MovePlan) -> None:
    if request.is_override and plan.allowed:
        raise ConflictError(
            f"Every rule of @{plan.alias} holds, so there is nothing to override; move it as usual."
        )
    failed = failed_checks(plan, is_override=request.is_override)
    if not failed:
        return
    message = f"@{plan.alias} of {plan.model!r} was not moved ({_named(failed)})."
    if any(check.name == "is_verified" for check in failed):
        raise IntegrityViolationError(message)
    if any(check.name == "changes_something" for check in failed):
        raise ConflictError(message)
    raise PermissionDeniedError(message)
