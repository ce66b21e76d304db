"""The append-only history of alias moves, with a write-ahead intent for each.

A move is written as ``intended`` before MLflow is asked and settled as ``applied`` or
``abandoned`` afterwards. Moves that other MLflow clients made are entered as ``observed``. Applied
and observed entries form a chain: each begins at the version where the one before it ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, select, update

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.registry.approvals import spend_approval
from ml_orchestrator.registry.models import AliasMove, MovePlan
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import alias_moves

__all__ = [
    "UNKNOWN_ACTOR",
    "AliasJournal",
    "Entry",
    "Intent",
    "Observed",
    "Standing",
    "move_subject",
]

UNKNOWN_ACTOR = "unknown (another MLflow client)"
_SETTLED = ("applied", "observed")
_TABLE = alias_moves.c


def move_subject(model: str, alias: str) -> str:
    """Return what a person approves when an alias is moved."""
    return f"alias:{model}@{alias}"


@dataclass(frozen=True, slots=True)
class Intent:
    """A move that is about to be carried out."""

    plan: MovePlan
    actor: str
    reason: str
    evidence: str | None
    idempotency_key: str | None
    request_digest: str


@dataclass(frozen=True, slots=True)
class Observed:
    """A move by another MLflow client; its time and event where MLflow's database told them."""

    model: str
    alias: str
    from_version: int | None
    to_version: int | None
    at: datetime | None = None
    event_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alias stands according to the journal.

    Attributes:
        last: The last move that took effect; None without any.
        live: The move under way, or that was when its process died; None if there is none.
        event_seq: The latest event of MLflow's alias table that is in the journal; 0 for none.
    """

    last: "Entry | None"
    live: "Entry | None"
    event_seq: int

    @property
    def version(self) -> int | None:
        """Where the journal says the alias points."""
        return None if self.last is None else self.last.move.to_version

    def previous(self, current_version: int | None) -> int | None:
        """Return where the alias pointed before it came to ``current_version``; None: unset.

        ``has_previous`` says whether that is on record.
        """
        if self.last is None:
            return None
        move = self.last.move
        return move.from_version if move.to_version == current_version else move.to_version

    def has_previous(self, current_version: int | None) -> bool:
        """Say whether it is on record where the alias pointed before ``current_version``."""
        if self.last is None:
            return False
        return self.last.is_start_known or self.version != current_version

    def is_rollback(self, *, current_version: int | None, to_version: int | None) -> bool:
        """Say whether going to ``to_version`` undoes the last move, if that was none itself."""
        if self.last is None or self.version != current_version or not self.last.is_start_known:
            return False
        was_rollback = self.last.plan is not None and self.last.plan.is_rollback
        return self.last.move.from_version == to_version and not was_rollback


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry with what only the mover needs to know."""

    move: AliasMove
    plan: MovePlan | None
    request_digest: str | None
    host: str
    event_seq: int | None

    @property
    def is_start_known(self) -> bool:
        """Whether it is certain where the move began.

        An alias that a look found set for the first time may have been moved before that.
        """
        is_found = self.move.state == "observed" and self.event_seq is None
        return self.move.from_version is not None or not is_found


class AliasJournal:
    """The history of every alias, in the state database. Thread- and process-safe.

    ``moved`` is told of each move that took effect, in the transaction that records it.
    """

    def __init__(
        self,
        database: Database,
        *,
        host: str,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        moved: Callable[[Connection, AliasMove], None] = lambda *_: None,
    ) -> None:
        self._database = database
        self._moved = moved
        self._host = host
        self._new_id = new_id
        self._now = now

    def begin(self, intent: Intent) -> AliasMove:
        """Write ``intent`` ahead of the move, using its approval up if it needs one.

        Raises:
            ConflictError: another move of the alias is under way, or the key is taken.
            ApprovalRequiredError: no person has approved this plan.
            PermissionDeniedError: a person rejected it.
        """
        values = self._values(intent.plan.model, intent.plan.alias) | {
            "from_version": intent.plan.from_version,
            "to_version": intent.plan.to_version,
            "actor": intent.actor,
            "reason": intent.reason,
            "evidence": intent.evidence or "",
            "state": "intended",
            "plan": intent.plan.model_dump_json(),
            "idempotency_key": intent.idempotency_key,
            "request_digest": intent.request_digest,
        }

        def write(connection: Connection) -> AliasMove:
            _require_free(connection, values)
            approved_by = _approve(connection, intent, values["created_at"])
            move = _insert(connection, values | {"approved_by": approved_by})
            _audit(connection, move, digest=intent.plan.digest)
            return move

        return self._database.write(write)

    def settle(
        self,
        move: AliasMove,
        state: Literal["applied", "abandoned"],
        *,
        event_seq: int | None = None,
    ) -> AliasMove:
        """Close an intent; ``event_seq`` is its event in MLflow's alias table.

        Raises:
            ConflictError: somebody else has closed it.
        """
        settled_at = timestamp(self._now())

        def close(connection: Connection) -> None:
            done = connection.execute(
                update(alias_moves)
                .where(_TABLE.id == move.id, _TABLE.state == "intended")
                .values(state=state, settled_at=settled_at, event_seq=event_seq)
            )
            if done.rowcount != 1:
                raise ConflictError(f"Alias move {move.id} was settled by another process.")
            _audit(connection, settled)
            if state == "applied":
                self._moved(connection, settled)

        settled = move.model_copy(update={"state": state})
        self._database.write(close)
        return settled

    def observe(self, moves: Sequence[Observed]) -> tuple[AliasMove, ...]:
        """Enter moves that other MLflow clients made, in order."""
        rows = [self._observed(move) for move in moves]

        def write(connection: Connection) -> tuple[AliasMove, ...]:
            observed = tuple(_insert(connection, values) for values in rows)
            for move in observed:
                _audit(connection, move)
                self._moved(connection, move)
            return observed

        return self._database.write(write) if rows else ()

    def _observed(self, move: Observed) -> dict[str, Any]:
        values = self._values(move.model, move.alias) | {
            "from_version": move.from_version,
            "to_version": move.to_version,
            "actor": UNKNOWN_ACTOR,
            "reason": "",
            "evidence": "",
            "state": "observed",
            "event_seq": move.event_seq,
        }
        if move.at is not None:
            values["created_at"] = timestamp(move.at)
        return values | {"settled_at": timestamp(self._now())}

    def standing(self, model: str, alias: str) -> Standing:
        """Return how an alias stands, in one snapshot."""

        def look(connection: Connection) -> Standing:
            of = _of(model, alias)
            return Standing(
                last=_first(connection, and_(of, _TABLE.state.in_(_SETTLED))),
                live=_first(connection, and_(of, _TABLE.state == "intended")),
                event_seq=connection.scalar(select(func.max(_TABLE.event_seq)).where(of)) or 0,
            )

        return self._database.read(look)

    def history(self, model: str, alias: str, *, limit: int = 100) -> tuple[AliasMove, ...]:
        """Return the last ``limit`` entries, newest first, abandoned ones included."""
        return tuple(entry.move for entry in self._entries(_of(model, alias), limit))

    def of_model(self, model: str, *, limit: int) -> tuple[AliasMove, ...]:
        """Return the last entries of every alias of ``model``, newest first."""
        return tuple(entry.move for entry in self._entries(_TABLE.model == model, limit))

    def by_key(self, idempotency_key: str) -> Entry | None:
        """Return the applied move that carries this idempotency key."""
        has_key = _has_key(idempotency_key, ("applied",))
        return self._database.read(lambda connection: _first(connection, has_key))

    def held_aliases(self, model: str, version: int) -> frozenset[str]:
        """Return the aliases that point or pointed to this version.

        One that was rolled back from it counts no more, until it is moved there again.
        """

        def look(connection: Connection) -> frozenset[str]:
            came = _last_seqs(connection, model, _TABLE.to_version == version)
            went = _last_seqs(connection, model, _TABLE.from_version == version)
            left = {alias: seq for alias, seq in went.items() if seq > came.get(alias, seq)}
            ends = _newest(connection, _TABLE.seq.in_(left.values()), len(left)) if left else []
            undone = {e.move.alias for e in ends if e.plan is not None and e.plan.is_rollback}
            return frozenset(came.keys() - undone)

        return self._database.read(look)

    def known_aliases(self) -> frozenset[tuple[str, str]]:
        """Return every model and alias that has an entry."""
        query = select(_TABLE.model, _TABLE.alias).distinct()
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return frozenset((model, alias) for model, alias in rows)

    def _values(self, model: str, alias: str) -> dict[str, Any]:
        return {
            "id": self._new_id(),
            "model": model,
            "alias": alias,
            "created_at": timestamp(self._now()),
            "host": self._host,
        }

    def _entries(self, condition: ColumnElement[bool], limit: int) -> list[Entry]:
        return self._database.read(lambda connection: _newest(connection, condition, limit))


def _newest(connection: Connection, condition: ColumnElement[bool], limit: int) -> list[Entry]:
    query = select(alias_moves).where(condition).order_by(_TABLE.seq.desc()).limit(limit)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _first(connection: Connection, condition: ColumnElement[bool]) -> Entry | None:
    return next(iter(_newest(connection, condition, 1)), None)


def _last_seqs(
    connection: Connection, model: str, condition: ColumnElement[bool]
) -> dict[str, int]:
    """Return, by alias, the number of the last move that took effect and meets a condition."""
    is_settled = and_(_TABLE.model == model, _TABLE.state.in_(_SETTLED), condition)
    query = select(_TABLE.alias, func.max(_TABLE.seq)).where(is_settled).group_by(_TABLE.alias)
    return {alias: seq for alias, seq in connection.execute(query)}


def _of(model: str, alias: str) -> ColumnElement[bool]:
    return and_(_TABLE.model == model, _TABLE.alias == alias)


def _has_key(key: str, states: tuple[str, ...]) -> ColumnElement[bool]:
    return and_(_TABLE.idempotency_key == key, _TABLE.state.in_(states))


def _approve(connection: Connection, intent: Intent, at: str) -> str | None:
    """Return who approved the move, using the approval up."""
    plan = intent.plan
    if not plan.needs_approval:
        return None
    subject = move_subject(plan.model, plan.alias)
    return spend_approval(connection, subject=subject, digest=plan.digest, at=at).decided_by


def _require_free(connection: Connection, values: dict[str, Any]) -> None:
    model, alias, key = values["model"], values["alias"], values["idempotency_key"]
    is_live = and_(_of(model, alias), _TABLE.state == "intended")
    if connection.execute(select(_TABLE.id).where(is_live)).first():
        raise ConflictError(f"Another move of @{alias} of {model!r} is under way; try again.")
    is_taken = _has_key(key, ("intended", "applied"))
    if key is not None and connection.execute(select(_TABLE.id).where(is_taken)).first():
        raise ConflictError(f"Idempotency key {key!r} is in use by another alias move.")


def _insert(connection: Connection, values: dict[str, Any]) -> AliasMove:
    row = connection.execute(insert(alias_moves).values(**values).returning(alias_moves))
    return _entry(row.mappings().one()).move


def _audit(connection: Connection, move: AliasMove, *, digest: str | None = None) -> None:
    """Enter a move in the audit log; ``digest`` is that of its plan."""
    audit(
        connection,
        f"alias.{move.state}",
        actor=move.actor,
        subject=move_subject(move.model, move.alias),
        move=move.id,
        from_version=move.from_version,
        to_version=move.to_version,
        reason=move.reason or None,
        approved_by=move.approved_by,
        overrides=list(move.overrides) or None,
        plan=digest,
    )


def _entry(row: RowMapping) -> Entry:
    plan = row["plan"] and MovePlan.model_validate_json(row["plan"])
    move = AliasMove(
        id=row["id"],
        model=row["model"],
        alias=row["alias"],
        from_version=row["from_version"],
        to_version=row["to_version"],
        actor=row["actor"],
        reason=row["reason"],
        evidence=row["evidence"] or None,
        state=row["state"],
        at=datetime.fromisoformat(row["created_at"]),
        approved_by=row["approved_by"],
        overrides=tuple(check.name for check in plan.checks if not check.ok) if plan else (),
    )
    return Entry(
        move=move,
        plan=plan,
        request_digest=row["request_digest"],
        host=row["host"],
        event_seq=row["event_seq"],
    )
