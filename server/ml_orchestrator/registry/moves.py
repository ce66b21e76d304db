"""Carrying out alias moves: compare-and-set on MLflow, with a journal that survives a crash."""

import hashlib
import json
from collections.abc import Callable, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.registry.aliases import Move, plan_move, policy_of, require_expected
from ml_orchestrator.registry.journal import AliasJournal, Entry, Intent
from ml_orchestrator.registry.models import (
    AliasHistory,
    AliasMove,
    ModelSummary,
    MovePlan,
    MoveResult,
    ReconcileReport,
    VerifyReport,
)
from ml_orchestrator.registry.names import (
    check_alias,
    check_model,
    check_version,
    is_alias,
    is_model,
)
from ml_orchestrator.registry.store import RegistryStore
from ml_orchestrator.storage.locks import exclusive

__all__ = ["AliasMover", "MoveRequest"]

LOCK_WAIT_S = 30.0
# A move takes milliseconds; an intent of another host that is older belongs to a dead process.
FOREIGN_INTENT_AGE = timedelta(seconds=60)
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """What a caller asks for.

    Attributes:
        version: A version, "previous" for a rollback, or None to remove the alias.
        expected_version: Where the caller believes the alias points; None means unset.
        plan_digest: Digest of the dry run that was looked at; None if there was none.
        idempotency_key: A key that makes a retry return the first move.
    """

    model: str
    alias: str
    version: int | Literal["previous"] | None
    expected_version: int | None
    actor: str
    reason: str
    evidence: str | None = None
    plan_digest: str | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        check_model(self.model)
        check_alias(self.alias)
        if isinstance(self.version, int):
            check_version(self.version)
        elif self.version not in {None, "previous"}:
            raise InvalidInputError(
                f"version is a number, 'previous' or null, not {self.version!r}."
            )
        for name in ("actor", "reason", "evidence", "idempotency_key"):
            _check_text(name, getattr(self, name))

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked; equal for a retry."""
        asked = [self.model, self.alias, self.version, self.expected_version, self.actor]
        text = json.dumps([*asked, self.reason, self.evidence], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class AliasMover:
    """Moves aliases one at a time per model and alias, across threads and processes.

    On one host a file lock serialises the moves of an alias; across hosts the journal's single
    live intent does. MLflow itself has no compare-and-set, so a client that writes to MLflow at
    the very same moment is found by reading back and entered as observed.
    """

    def __init__(
        self,
        registry: RegistryStore,
        journal: AliasJournal,
        *,
        verify: Callable[[str, int], VerifyReport],
        home: Path,
        host: str,
        now: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._verify = verify
        self._home = home
        self._host = host
        self._now = now

    def plan(self, request: MoveRequest) -> MoveResult:
        """Return what the move would do; nothing is written.

        Raises:
            ConflictError: ``expected_version`` is stale.
            NotFoundError: no such model, version, alias or previous version.
        """
        current = self._registry.alias_version(request.model, request.alias)
        plan = plan_move(self._look(request, current), expected_version=request.expected_version)
        return MoveResult(plan=plan, move=None, previous_version=current)

    def move(self, request: MoveRequest) -> MoveResult:
        """Carry the move out, or return the one that this idempotency key did before.

        Raises:
            ConflictError: ``expected_version`` or ``plan_digest`` is stale, or the key was used
                for something else; nothing was changed.
            IntegrityViolationError: the version is not what was registered.
            PermissionDeniedError: another rule of the alias forbids it.
            NotFoundError: no such model, version, alias or previous version.
        """
        self._settle_what_a_crash_left(request.model, request.alias)
        if done := self._done_before(request):
            return done
        looked_at = self.plan(request).plan  # slow checks, before the lock is taken
        _must_be_allowed(looked_at)
        with self._lock(request.model, request.alias):
            if done := self._done_before(request):
                return done
            self._settle_intent(request.model, request.alias)
            current, _ = self._observe(request.model, request.alias)
            return self._carry_out(request, looked_at, current)

    def history(self, model: str, alias: str, *, limit: int) -> AliasHistory:
        """Return the moves of one alias, newest first, those by other clients included."""
        check_model(model)
        check_alias(alias)
        with self._lock(model, alias):
            self._settle_intent(model, alias)
            current, _ = self._observe(model, alias)
        return AliasHistory(
            model=model,
            alias=alias,
            current_version=current,
            previous_version=self._journal.previous(model, alias, current_version=current),
            moves=self._journal.history(model, alias, limit=limit),
        )

    def moves_of(self, model: str, *, limit: int) -> tuple[AliasMove, ...]:
        """Return the last moves of every alias of ``model``, those by other clients included."""
        aliases = {alias for name, alias in self._journal.known_aliases() if name == model}
        self._reconcile(
            {(model, alias) for alias in aliases | _usable(self._registry.model(model))}
        )
        return self._journal.of_model(model, limit=limit)

    def reconcile(self) -> ReconcileReport:
        """Settle intents that a crash left and enter moves made by other clients."""
        return self._reconcile(self._journal.known_aliases() | self._live_aliases())

    def _reconcile(self, names: Set[tuple[str, str]]) -> ReconcileReport:
        settled: list[AliasMove] = []
        observed: list[AliasMove] = []
        for model, alias in sorted(names):
            with self._lock(model, alias):
                if entry := self._settle_intent(model, alias):
                    settled.append(entry)
                if move := self._observe(model, alias)[1]:
                    observed.append(move)
        return ReconcileReport(
            applied=tuple(move for move in settled if move.state == "applied"),
            abandoned=tuple(move for move in settled if move.state == "abandoned"),
            observed=tuple(observed),
        )

    def _look(self, request: MoveRequest, current: int | None) -> Move:
        model, alias = request.model, request.alias
        version = self._resolve(request, current)
        if request.expected_version != current or version is None:
            return Move(model, alias, current, None, None, frozenset())
        target = self._registry.version(model, version)
        needs_verification = "is_verified" in policy_of(alias)
        return Move(
            model=model,
            alias=alias,
            current_version=current,
            target=target,
            verification=self._verify(model, version) if needs_verification else None,
            held_aliases=self._journal.held_aliases(model, version) | set(target.aliases),
        )

    def _resolve(self, request: MoveRequest, current: int | None) -> int | None:
        if request.version != "previous":
            return request.version
        previous = self._journal.previous(request.model, request.alias, current_version=current)
        if previous is None:
            raise NotFoundError(
                f"@{request.alias} of {request.model!r} has no previous version on record; "
                "name the version to move it to."
            )
        return previous

    def _carry_out(
        self, request: MoveRequest, looked_at: MovePlan, current: int | None
    ) -> MoveResult:
        plan = self._confirm(request, looked_at, current)
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
        self._write(plan)
        found = self._registry.alias_version(request.model, request.alias)
        if found != plan.to_version:
            raise self._overtaken(move, found)
        applied = self._journal.settle(move, "applied")
        return MoveResult(plan=plan, move=applied, previous_version=plan.from_version)

    def _confirm(self, request: MoveRequest, looked_at: MovePlan, current: int | None) -> MovePlan:
        """Return the plan if the world is still as it was when the plan was made."""
        require_expected(
            request.model,
            request.alias,
            current_version=current,
            expected_version=request.expected_version,
        )
        if request.plan_digest not in {None, looked_at.digest}:
            raise ConflictError(
                f"The plan for @{request.alias} of {request.model!r} is no longer the one that "
                f"was looked at (digest {looked_at.digest}). Make a dry run again."
            )
        return looked_at

    def _write(self, plan: MovePlan) -> None:
        if plan.to_version is None:
            self._registry.delete_alias(plan.model, plan.alias)
        else:
            self._registry.set_alias(plan.model, plan.alias, plan.to_version)

    def _overtaken(self, move: AliasMove, found: int | None) -> ConflictError:
        self._journal.settle(move, "abandoned")
        self._observe(move.model, move.alias)
        return ConflictError(
            f"Another MLflow client moved @{move.alias} of {move.model!r} to {found} at the same "
            "moment; it stays there. Look again, then retry."
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

    def _settle_what_a_crash_left(self, model: str, alias: str) -> None:
        """Settle an open intent, so that the retry of its caller finds the move."""
        if self._journal.live_intent(model, alias) is not None:
            with self._lock(model, alias):
                self._settle_intent(model, alias)

    def _settle_intent(self, model: str, alias: str) -> AliasMove | None:
        """Close the intent of a process that died; the caller holds the lock."""
        entry = self._journal.live_intent(model, alias)
        if entry is None:
            return None
        if self._may_be_alive(entry):
            raise ConflictError(
                f"@{alias} of {model!r} is being moved by {entry.host}; try again in a minute."
            )
        has_happened = self._registry.alias_version(model, alias) == entry.move.to_version
        return self._journal.settle(entry.move, "applied" if has_happened else "abandoned")

    def _may_be_alive(self, entry: Entry) -> bool:
        """On this host the file lock that we hold proves that the mover is dead."""
        return entry.host != self._host and self._now() - entry.move.at < FOREIGN_INTENT_AGE

    def _observe(self, model: str, alias: str) -> tuple[int | None, AliasMove | None]:
        """Return where the alias points and the entry made if another client moved it there.

        The caller holds the lock.
        """
        live = self._registry.alias_version(model, alias)
        last = self._journal.last(model, alias)
        recorded = None if last is None else last.to_version
        if live == recorded:
            return live, None
        move = self._journal.observe(model, alias, from_version=recorded, to_version=live)
        return live, move

    def _live_aliases(self) -> frozenset[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        cursor: str | None = None
        while True:
            models, cursor = self._registry.models(limit=100, cursor=cursor)
            for model in filter(lambda found: is_model(found.model), models):
                found |= {(model.model, alias) for alias in _usable(model)}
            if cursor is None:
                return frozenset(found)

    def _lock(self, model: str, alias: str) -> AbstractContextManager[None]:
        name = hashlib.sha256(f"{model}@{alias}".encode()).hexdigest()[:32]
        return exclusive(
            self._home / "locks" / name, doing=f"moving @{alias} of {model}", wait_s=LOCK_WAIT_S
        )


def _usable(model: ModelSummary) -> set[str]:
    """Return its aliases that have a name we take; other clients may have given odd ones."""
    return {alias for alias in model.aliases if is_alias(alias)}


def _must_be_allowed(plan: MovePlan) -> None:
    failed = [check for check in plan.checks if not check.ok]
    if not failed:
        return
    reasons = "; ".join(f"{check.name}: {check.detail}" for check in failed)
    message = f"@{plan.alias} of {plan.model!r} was not moved ({reasons})."
    if any(check.name == "is_verified" for check in failed):
        raise IntegrityViolationError(message)
    if any(check.name == "changes_something" for check in failed):
        raise ConflictError(message)
    raise PermissionDeniedError(message)


def _check_text(name: str, text: str | None) -> None:
    limits = {"actor": 64, "idempotency_key": 128}
    limit = limits.get(name, MAX_TEXT)
    if text is not None and (len(text) > limit or "\0" in text):
        raise InvalidInputError(f"{name} has {len(text)} characters; at most {limit}, without NUL.")
