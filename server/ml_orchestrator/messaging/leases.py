"""Advisory leases: who says to be at work on a model, an alias or files, and until when."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.messaging.models import Lease, Leases
from ml_orchestrator.messaging.places import canonical, check_literal, overlaps, trimmed
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.schema import resource_leases as table
from ml_orchestrator.text import clean, flags_of_stored

__all__ = ["LeaseBook"]

KINDS = ("model", "alias", "file", "data")
KEPT = timedelta(days=90)  # after the end of a lease
STEP = 20  # leases of long ago that a new one removes at most
_RESOURCE = re.compile(r"(model|alias|file|data):[^\x00-\x1f\x7f]{1,200}")
_ALIAS = re.compile(r"alias:[^@]+@[^@]+")
_NAME = re.compile(r"\S+")


def _any_name(_: str) -> None:
    """Take every name."""


class LeaseBook:
    """Every lease of the project; thread- and process-safe, one short transaction a call.

    ``check_model`` and ``check_alias`` refuse what can name none; ``changed`` is told of each
    change in its transaction.
    """

    def __init__(
        self,
        database: Database,
        *,
        check_model: Callable[[str], object] = _any_name,
        check_alias: Callable[[str], object] = _any_name,
        changed: Callable[[Connection, Lease], None] = lambda *_: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._check_model = check_model
        self._check_alias = check_alias
        self._changed = changed
        self._now = now

    def set(self, agent: str, resource: str, *, ttl_s: float, note: str = "") -> Lease:
        """Take or renew a lease for ``ttl_s`` seconds, or give it back with 0.

        However a place is spelled, it is one lease. The token grows with every change of holder,
        so a holder of old can be told from today's.

        Raises:
            InvalidInputError: ``resource`` has no known kind, is no alias of a model, or is to
                be taken and has signs that mean nothing in its kind.
            ConflictError: another agent holds it or one that overlaps (the message says who and
                until when), or there is nothing to give back.
        """
        _check_resource(trimmed(resource))
        place, now = canonical(resource), self._now()
        shown = clean(note).text

        def work(connection: Connection) -> Lease:
            lease = _set(
                connection,
                agent,
                place,
                ttl_s=ttl_s,
                note=shown,
                now=now,
                check_new=lambda: self._check_name(trimmed(resource)),
            )
            self._changed(connection, lease)
            return lease

        return self._database.write(work)

    def _check_name(self, resource: str) -> None:
        check_literal(resource)
        kind, _, name = resource.partition(":")
        model, _, alias = name.partition("@")
        if kind in ("model", "alias"):
            self._check_model(model)
        if kind == "alias":
            self._check_alias(alias)

    def live(self) -> Leases:
        """Return every live lease, by resource."""
        at = timestamp(self._now())
        rows = self._database.read(lambda connection: _live(connection, at))
        return Leases(leases=[_lease(row, row.holder) for row in rows])


def _check_resource(resource: str) -> None:
    if not _RESOURCE.fullmatch(resource) or clean(resource).text != resource:
        raise InvalidInputError(
            f"Resource {resource[:80]!r} is not KIND:NAME with a kind of {', '.join(KINDS)}, "
            "such as model:churn, alias:churn@champion or file:data/*.csv."
        )
    if resource.startswith("alias:") and not _ALIAS.fullmatch(resource):
        raise InvalidInputError(
            f"Resource {resource[:80]!r} is not alias:MODEL@ALIAS, such as alias:churn@champion. "
            "For all of a model take model:MODEL."
        )


def _set(
    connection: Connection,
    agent: str,
    resource: str,
    *,
    ttl_s: float,
    note: str,
    now: datetime,
    check_new: Callable[[], None],
) -> Lease:
    at = timestamp(now)
    row = connection.execute(select(table).where(table.c.resource == resource)).first()
    is_mine = row is not None and row.holder == agent and row.expires_at > at
    if ttl_s > 0 and not is_mine:  # what an earlier release gave can be renewed
        check_new()
    note_agent(connection, agent, now=at)
    if ttl_s > 0 or not is_mine:  # an earlier release let two hold what overlaps for this one
        _refuse_if_held(agent, resource, _live(connection, at))
    if ttl_s <= 0 and not is_mine:
        raise ConflictError(f"{agent} holds no lease on {resource}, so there is none to give back.")
    values = {
        "holder": agent,
        "token": _first_token(now) if row is None else row.token + (not is_mine),
        "note": note,
        "taken_at": row.taken_at if row is not None and is_mine else at,
        "expires_at": timestamp(now + timedelta(seconds=ttl_s)),
    }
    here = table.c.resource == resource
    if row is None:
        connection.execute(insert(table).values(resource=resource, **values))
    else:
        connection.execute(update(table).where(here).values(values))
    _remove_old(connection, timestamp(now - KEPT))
    stored = connection.execute(select(table).where(here)).one()
    return _lease(stored, agent if ttl_s > 0 else None)


def _first_token(now: datetime) -> int:
    """Return a token above those that a lease of this name had before it was removed."""
    return int(now.timestamp()) // 60


def _remove_old(connection: Connection, limit: str) -> None:
    old = select(table.c.resource).where(table.c.expires_at <= limit).limit(STEP)
    connection.execute(delete(table).where(table.c.resource.in_(old)))


def _refuse_if_held(agent: str, resource: str, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        if row.holder != agent and overlaps(resource, row.resource):
            raise ConflictError(
                f"{_told(row, resource)}. Ask {row.holder} by message, or wait; leases and their "
                "notes are in lease://all."
            )


def _told(row: Row[Any], resource: str) -> str:
    """Say who holds what, in our words alone: what a holder wrote could pass for ours.

    So its note is left out, and what it holds is named only if it reads as a name.
    """
    held = f"held by {row.holder} until {row.expires_at}"
    if flags := _flags(row):
        return f"What overlaps {resource} is {held} (its text is flagged: {', '.join(flags)})"
    is_name = row.resource == resource or _NAME.fullmatch(row.resource)
    return f"{row.resource if is_name else f'What overlaps {resource}'} is {held}"


def _live(connection: Connection, at: str) -> Sequence[Row[Any]]:
    query = select(table).where(table.c.expires_at > at).order_by(table.c.resource)
    return connection.execute(query).all()


def _lease(row: Row[Any], holder: str | None) -> Lease:
    return Lease(
        resource=row.resource,
        holder=holder,
        token=row.token,
        note=row.note,
        flags=_flags(row),
        taken_at=row.taken_at,
        expires_at=row.expires_at,
    )


def _flags(row: Row[Any]) -> list[str]:
    return list(flags_of_stored(f"{row.resource}\n{row.note}"))
