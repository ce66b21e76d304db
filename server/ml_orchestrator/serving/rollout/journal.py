"""Roll-outs on record: their state, their history, and what came of predictions."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, update

from ml_orchestrator.errors import ConflictError, NotFoundError
from ml_orchestrator.serving.rollout.actions import Decision, Note, Rollout, Turn
from ml_orchestrator.serving.rollout.models import (
    FINAL,
    Choice,
    Progress,
    RolloutEvent,
    RolloutPlan,
    RolloutSpec,
)
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.schema import deployment_events as events
from ml_orchestrator.storage.schema import deployments, idempotency

__all__ = ["RolloutJournal"]

WORKER = "roll-out"


class RolloutJournal:
    """Roll-outs in the state database; every write is one short transaction.

    A state, its progress and its history change together or not at all, and only for the worker
    that took the roll-out last. ``changed`` is told of each new state in the transaction that
    records it.
    """

    def __init__(
        self,
        database: Database,
        *,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        changed: Callable[[Connection, Rollout], None] = lambda *_: None,
    ) -> None:
        self._database = database
        self._changed = changed
        self._new_id = new_id
        self._now = now

    def begin(self, plan: RolloutPlan, *, actor: str, reason: str, key: str | None) -> str:
        """Record a roll-out as pending and return its id; the same key returns the same one.

        Raises:
            ConflictError: another roll-out of the model is not over, or the key was used for
                something else.
        """
        request = {"plan": plan.model_dump(mode="json", exclude={"obstacles"}), "actor": actor}

        def act(connection: Connection) -> dict[str, Any]:
            _refuse_a_second(connection, plan.model)
            values = self._row(plan, actor)
            connection.execute(insert(deployments).values(**values))
            note = Note("state", f"pending: {reason}", actor)
            self._append(connection, values["id"], (note,))
            _audit(connection, _get(connection, values["id"]), actor, note.detail)
            self._changed(connection, _get(connection, values["id"]))
            return {"id": values["id"]}

        def work(connection: Connection) -> dict[str, Any]:
            return once(
                connection,
                scope=f"deployment_start/{actor}",
                key=key,
                request=request,
                act=lambda: act(connection),
            )

        return str(self._database.write(work)["id"])

    def started_with(self, key: str, *, actor: str) -> str | None:
        """Return the roll-out that ``actor`` started with this key, if there is one."""
        found = self._result_of(f"deployment_start/{actor}", key)
        return None if found is None else str(json.loads(found)["id"])

    def has_decided(self, key: str, *, actor: str) -> bool:
        """Return whether ``actor`` handed in a decision with this key before."""
        return self._result_of(f"deployment_decide/{actor}", key) is not None

    def get(self, rollout_id: str) -> Rollout:
        """Return a roll-out as it is recorded.

        Raises:
            NotFoundError: there is none; the message names the latest.
        """
        return self._database.read(lambda connection: _get(connection, rollout_id))

    def latest(self, model: str) -> Rollout | None:
        """Return the newest roll-out of a model, if it ever had one."""
        newest = deployments.c.created_at.desc()
        query = select(deployments).where(deployments.c.model == model).order_by(newest).limit(1)
        row = self._database.read(lambda c: c.execute(query).mappings().first())
        return None if row is None else _rollout(row)

    def n_under_way(self) -> int:
        """Return how many roll-outs are not over."""
        query = select(func.count()).where(deployments.c.state.not_in(FINAL))
        return int(self._database.read(lambda c: c.execute(query).scalar_one()))

    def take(self, rollout_id: str) -> Rollout:
        """Return a roll-out for the caller alone: whoever took it before can write no more."""

        def work(connection: Connection) -> Rollout:
            connection.execute(
                update(deployments)
                .where(deployments.c.id == rollout_id)
                .values(epoch=deployments.c.epoch + 1)
            )
            return _get(connection, rollout_id)

        return self._database.write(work)

    def record(self, rollout: Rollout, turn: Turn) -> Rollout:
        """Record a state, changes of the progress and their history, and return the result.

        Raises:
            ConflictError: another worker has taken the roll-out; nothing was written.
        """
        progress = rollout.progress.model_copy(update=dict(turn.changes))

        def work(connection: Connection) -> Rollout:
            done = connection.execute(
                update(deployments)
                .where(deployments.c.id == rollout.id, deployments.c.epoch == rollout.epoch)
                .values(
                    state=turn.state,
                    progress=progress.model_dump_json(),
                    is_live=int(turn.state not in FINAL),
                    updated_at=timestamp(self._now()),
                )
            )
            if done.rowcount != 1:
                raise ConflictError(f"Another worker has taken over roll-out {rollout.id}.")
            self._append(connection, rollout.id, turn.notes)
            recorded = _get(connection, rollout.id)
            if recorded.state != rollout.state:
                why = next((note for note in turn.notes if note.kind == "state"), None)
                _audit(connection, recorded, WORKER, why.detail if why else None)
                self._changed(connection, recorded)
            return recorded

        return self._database.write(work)

    def decide(
        self,
        rollout_id: str,
        choice: Choice,
        *,
        actor: str,
        reason: str,
        approved_by: str | None = None,
        key: str | None = None,
    ) -> None:
        """Hand a decision to the worker that carries the roll-out out.

        Raises:
            ConflictError: it is over or going back already, or the key was used before for
                something else.
        """
        handed_on = {"choice": choice, "approved_by": approved_by}
        self._decide(rollout_id, choice, handed_on, actor=actor, reason=reason, key=key)

    def note_decision(
        self,
        rollout_id: str,
        choice: Choice,
        *,
        actor: str,
        reason: str,
        key: str | None = None,
    ) -> None:
        """Record a decision that the worker does not wait for, so that sent again it is none.

        Raises:
            ConflictError: as for ``decide``.
        """
        self._decide(rollout_id, choice, {}, actor=actor, reason=reason, key=key)

    def _decide(
        self,
        rollout_id: str,
        choice: Choice,
        handed_on: Mapping[str, str | None],
        *,
        actor: str,
        reason: str,
        key: str | None,
    ) -> None:
        request = {"rollout": rollout_id, "choice": choice, "reason": reason}

        def act(connection: Connection) -> dict[str, Any]:
            _refuse_late(_get(connection, rollout_id))
            note = Note("decision", f"{choice}: {reason}", actor)
            self._append(connection, rollout_id, (note,), **handed_on)
            audit(
                connection,
                "rollout.decided",
                actor=actor,
                subject=f"rollout:{rollout_id}",
                choice=choice,
                reason=reason,
                approved_by=handed_on.get("approved_by"),
            )
            return {}

        def work(connection: Connection) -> dict[str, Any]:
            return once(
                connection,
                scope=f"deployment_decide/{actor}",
                key=key,
                request=request,
                act=lambda: act(connection),
            )

        self._database.write(work)

    def decision(self, rollout: Rollout) -> Decision | None:
        """Return the first decision that was not taken in yet."""
        query = (
            select(events)
            .where(
                events.c.deployment_id == rollout.id,
                events.c.choice.is_not(None),
                events.c.seq > rollout.progress.decisions_seen,
            )
            .order_by(events.c.seq)
            .limit(1)
        )
        row = self._database.read(lambda c: c.execute(query).mappings().first())
        if row is None:
            return None
        reason = row["detail"].removeprefix(f"{row['choice']}: ")
        return Decision(row["seq"], row["choice"], row["actor"], reason, row["approved_by"])

    def events(self, rollout_id: str, *, limit: int = 200) -> tuple[RolloutEvent, ...]:
        """Return the last events of a roll-out, oldest first."""
        mine = events.c.deployment_id == rollout_id
        query = select(events).where(mine).order_by(events.c.seq.desc()).limit(limit)
        rows = self._database.read(lambda c: c.execute(query).mappings().all())
        return tuple(_event(row) for row in reversed(rows))

    def _result_of(self, scope: str, key: str) -> str | None:
        query = select(idempotency.c.result).where(
            idempotency.c.scope == scope, idempotency.c.key == key
        )
        found: str | None = self._database.read(lambda c: c.execute(query).scalar())
        return found

    def _row(self, plan: RolloutPlan, actor: str) -> dict[str, Any]:
        now = timestamp(self._now())
        return {
            "id": self._new_id(),
            "model": plan.model,
            "alias": plan.alias,
            "version": plan.to_version,
            "from_version": plan.from_version,
            "actor": actor,
            "spec": plan.spec.model_dump_json(),
            "state": "pending",
            "progress": Progress().model_dump_json(),
            "epoch": 0,
            "is_live": 1,
            "created_at": now,
            "updated_at": now,
        }

    def _append(
        self, connection: Connection, rollout_id: str, notes: Sequence[Note], **more: Any
    ) -> None:
        for note in notes:
            connection.execute(
                insert(events).values(
                    deployment_id=rollout_id,
                    at=timestamp(self._now()),
                    kind=note.kind,
                    actor=note.actor or WORKER,
                    detail=note.detail,
                    **more,
                )
            )


def _audit(connection: Connection, now: Rollout, actor: str, why: str | None) -> None:
    audit(
        connection,
        f"rollout.{now.state}",
        actor=actor,
        subject=f"rollout:{now.id}",
        model=now.model,
        alias=now.alias,
        from_version=now.from_version,
        to_version=now.version,
        why=why,
    )


def _get(connection: Connection, rollout_id: str) -> Rollout:
    query = select(deployments).where(deployments.c.id == rollout_id)
    row = connection.execute(query).mappings().first()
    if row is not None:
        return _rollout(row)
    newest = select(deployments.c.id).order_by(deployments.c.created_at.desc()).limit(5)
    known = ", ".join(connection.execute(newest).scalars()) or "none"
    raise NotFoundError(f"No roll-out named {rollout_id!r}; the latest are: {known}.")


def _refuse_a_second(connection: Connection, model: str) -> None:
    live = and_(deployments.c.model == model, deployments.c.is_live == 1)
    if row := connection.execute(select(deployments).where(live)).mappings().first():
        raise ConflictError(
            f"Roll-out {row['id']} of {model!r} to version {row['version']} is {row['state']}; "
            "wait for its end, or abort it by deployment_decide."
        )


def _refuse_late(rollout: Rollout) -> None:
    if rollout.is_over or rollout.state == "rolling_back":
        raise ConflictError(
            f"Roll-out {rollout.id} is {rollout.state}; nothing is left to decide. To change what "
            "is live, start another one."
        )


def _rollout(row: Mapping[Any, Any] | RowMapping) -> Rollout:
    return Rollout(
        id=row["id"],
        model=row["model"],
        alias=row["alias"],
        version=row["version"],
        from_version=row["from_version"],
        actor=row["actor"],
        spec=RolloutSpec.model_validate_json(row["spec"]),
        state=row["state"],
        progress=Progress.model_validate_json(row["progress"]),
        epoch=row["epoch"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _event(row: RowMapping) -> RolloutEvent:
    names = ("seq", "at", "kind", "actor", "detail")
    return RolloutEvent(**{name: row[name] for name in names})
