"""The append-only history of alias moves, with a write-ahead intent for each.

A move is written as ``intended`` before MLflow is asked and settled as ``applied`` or
``abandoned`` afterwards. Moves that other MLflow clients made are entered as ``observed``. Applied
and observed entries form a chain: each begins at the version where the one before it ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, select, update

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.registry.models import AliasMove, MovePlan
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import alias_moves

__all__ = ["UNKNOWN_ACTOR", "AliasJournal", "Entry", "Intent"]

UNKNOWN_ACTOR = "unknown (another MLflow client)"
_SETTLED = ("applied", "observed")
_TABLE = alias_moves.c


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
class Entry:
    """A journal entry with what only the mover needs to know."""

    move: AliasMove
    plan: MovePlan | None
    request_digest: str | None
    host: str


class AliasJournal:
    """The history of every alias, in the state database. Thread- and process-safe."""

    def __init__(
        self,
        database: Database,
        *,
        host: str,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._host = host
        self._new_id = new_id
        self._now = now

    def begin(self, intent: Intent) -> AliasMove:
        """Write ``intent`` ahead of the move.

        Raises:
            ConflictError: another move of the alias is under way, or the key is taken.
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
        return self._database.write(lambda connection: _begin(connection, values))

    def settle(self, move: AliasMove, state: Literal["applied", "abandoned"]) -> AliasMove:
        """Close an intent.

        Raises:
            ConflictError: somebody else has closed it.
        """
        settled_at = timestamp(self._now())

        def close(connection: Connection) -> None:
            done = connection.execute(
                update(alias_moves)
                .where(_TABLE.id == move.id, _TABLE.state == "intended")
                .values(state=state, settled_at=settled_at)
            )
            if done.rowcount != 1:
                raise ConflictError(f"Alias move {move.id} was settled by another process.")

        self._database.write(close)
        return move.model_copy(update={"state": state})

    def observe(
        self, model: str, alias: str, *, from_version: int | None, to_version: int | None
    ) -> AliasMove:
        """Enter a move that another MLflow client made."""
        values = self._values(model, alias) | {
            "from_version": from_version,
            "to_version": to_version,
            "actor": UNKNOWN_ACTOR,
            "reason": "",
            "evidence": "",
            "state": "observed",
        }
        values["settled_at"] = values["created_at"]
        return self._database.write(lambda connection: _insert(connection, values))

    def live_intent(self, model: str, alias: str) -> Entry | None:
        """Return the move of this alias that is under way, or was when its process died."""
        return self._first(and_(_of(model, alias), _TABLE.state == "intended"))

    def last(self, model: str, alias: str) -> AliasMove | None:
        """Return the last move that took effect."""
        entry = self._first(and_(_of(model, alias), _TABLE.state.in_(_SETTLED)))
        return None if entry is None else entry.move

    def previous(self, model: str, alias: str, *, current_version: int | None) -> int | None:
        """Return where the alias pointed before it came to ``current_version``."""
        last = self.last(model, alias)
        if last is None:
            return None
        return last.from_version if last.to_version == current_version else last.to_version

    def history(self, model: str, alias: str, *, limit: int = 100) -> tuple[AliasMove, ...]:
        """Return the last ``limit`` entries, newest first, abandoned ones included."""
        return tuple(entry.move for entry in self._entries(_of(model, alias), limit))

    def of_model(self, model: str, *, limit: int) -> tuple[AliasMove, ...]:
        """Return the last entries of every alias of ``model``, newest first."""
        return tuple(entry.move for entry in self._entries(_TABLE.model == model, limit))

    def by_key(self, idempotency_key: str) -> Entry | None:
        """Return the applied move that carries this idempotency key."""
        return self._first(_has_key(idempotency_key, ("applied",)))

    def held_aliases(self, model: str, version: int) -> frozenset[str]:
        """Return the aliases that ever pointed to this version."""
        query = select(_TABLE.alias).where(
            _TABLE.model == model, _TABLE.to_version == version, _TABLE.state.in_(_SETTLED)
        )
        return frozenset(self._database.read(lambda c: c.execute(query).scalars().all()))

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

    def _first(self, condition: ColumnElement[bool]) -> Entry | None:
        return next(iter(self._entries(condition, 1)), None)

    def _entries(self, condition: ColumnElement[bool], limit: int) -> list[Entry]:
        query = select(alias_moves).where(condition).order_by(_TABLE.seq.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [_entry(row) for row in rows]


def _of(model: str, alias: str) -> ColumnElement[bool]:
    return and_(_TABLE.model == model, _TABLE.alias == alias)


def _has_key(key: str, states: tuple[str, ...]) -> ColumnElement[bool]:
    return and_(_TABLE.idempotency_key == key, _TABLE.state.in_(states))


def _begin(connection: Connection, values: dict[str, Any]) -> AliasMove:
    model, alias, key = values["model"], values["alias"], values["idempotency_key"]
    is_live = and_(_of(model, alias), _TABLE.state == "intended")
    if connection.execute(select(_TABLE.id).where(is_live)).first():
        raise ConflictError(f"Another move of @{alias} of {model!r} is under way; try again.")
    is_taken = _has_key(key, ("intended", "applied"))
    if key is not None and connection.execute(select(_TABLE.id).where(is_taken)).first():
        raise ConflictError(f"Idempotency key {key!r} is in use by another alias move.")
    return _insert(connection, values)


def _insert(connection: Connection, values: dict[str, Any]) -> AliasMove:
    row = connection.execute(insert(alias_moves).values(**values).returning(alias_moves))
    return _entry(row.mappings().one()).move


def _entry(row: RowMapping) -> Entry:
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
    )
    plan = row["plan"] and MovePlan.model_validate_json(row["plan"])
    return Entry(move=move, plan=plan, request_digest=row["request_digest"], host=row["host"])
