"""Adding, merging, removing and reading single records, inside somebody's transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal, select, text, update

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.memory.models import (
    Remembered,
    SavedBy,
    StoredInsight,
    StoredKnowledge,
    StoredTask,
)
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.storage.memory_rows import (
    add_to_search,
    cleaned,
    count,
    findable,
    record_id,
    remove_from_search,
    stored_area,
)
from ml_orchestrator.storage.schema import memory_past as past
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import FLAGS

__all__ = [
    "MODELS",
    "Added",
    "NewRecord",
    "Predecessor",
    "R",
    "add",
    "find",
    "has_gone",
    "id_of",
    "newest",
    "of_area",
    "read",
    "remove",
    "same",
    "survivor",
]

R = TypeVar("R", bound=Remembered)
MODELS: Mapping[str, type[Remembered]] = {
    "task": StoredTask,
    "insight": StoredInsight,
    "knowledge": StoredKnowledge,
}
_UNCOUNT = Statement(
    text(
        "UPDATE memory_counts SET n = n - 1, n_removed = n_removed + :removed "
        "WHERE agent = :agent AND kind = :kind AND outcome = :outcome"
    )
)
_COLUMNS = [column.name for column in records.columns if column.name != "seq"]
_ADD = Statement(  # both databases spell it so
    text(
        f"INSERT INTO memory_records ({', '.join(_COLUMNS)}) "  # noqa: S608 names from the schema
        f"VALUES (:{', :'.join(_COLUMNS)}) ON CONFLICT (id) DO NOTHING RETURNING seq"
    )
)
_OWN = ("payload", "words", "area", "flags", "is_pinned", "expires_at", "n_merged")
_ANEW = Statement(
    update(records)
    .where(records.c.seq == bindparam("at_seq"))
    .values({name: bindparam(name) for name in _OWN})
)
_BY_ID = Statement(select(records).where(records.c.id == bindparam("id")))
_BECAME = Statement(
    select(past.c.became)
    .join(records, records.c.id == past.c.became)
    .where(past.c.id == bindparam("id"))
)
_HOW = Statement(select(past.c.how, past.c.became).where(past.c.id == bindparam("id")))
_REMOVE = Statement(delete(records).where(records.c.seq == bindparam("seq")))
_PASS_ON = Statement(
    update(past).where(past.c.became == bindparam("old")).values(became=bindparam("new"))
)
_FORGET_PAST = Statement(delete(past).where(past.c.id == bindparam("id")))
_NOTE_PAST = Statement(insert(past), columns=[column.name for column in past.columns])
_FORGET_ORIGINS = Statement(
    text(  # UNION ends at what it has seen, also in a circle that an import made
        "WITH RECURSIVE gone (id) AS (SELECT CAST(:id AS VARCHAR(64)) UNION SELECT memory_past.id "
        "FROM memory_past JOIN gone ON memory_past.became = gone.id) UPDATE memory_past "
        "SET session = NULL, tool = NULL, source = NULL WHERE id IN (SELECT id FROM gone)"
    )
)
_SAME = Statement(
    select(records)
    .where(
        records.c.agent == bindparam("agent"),
        records.c.kind == bindparam("kind"),
        records.c.near_key == bindparam("near_key"),
    )
    .limit(literal(1))
)
_ALL = (
    select(records)
    .where(
        records.c.kind == bindparam("kind"),
        records.c.expires_at.is_(None) | (records.c.expires_at > bindparam("now")),
    )
    .order_by(records.c.created_at.desc(), records.c.seq.desc())
    .limit(bindparam("limit"))
)
_NEWEST_OF_ALL = Statement(_ALL)
_NEWEST = Statement(_ALL.where(records.c.agent == bindparam("agent")))


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A record that an imported one took the place of, and where that came from."""

    id: str
    at: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that is about to be stored."""

    kind: str
    agent: str
    payload: Mapping[str, Any]
    at: str
    origin: Origin
    is_pinned: bool = False
    expires_at: str | None = None
    n_merged: int = 1
    first_at: str | None = None
    n_helped: int = 0
    n_misled: int = 0
    flags: tuple[str, ...] = ()  # of text that was cleaned before
    set_here: Mapping[str, str] = field(default_factory=dict)  # of the payload, by the store
    merged: Mapping[str, Predecessor] = field(default_factory=dict)  # by id, if it was imported


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a new record, and its payload as it is stored."""

    id: str
    payload: Mapping[str, Any]
    was_merged: bool
    flags: Sequence[str]


def add(connection: Connection, new: NewRecord, *, now: str) -> Added:
    """Store a record; an insight or a fact that says what is stored already takes its place.

    The one that is replaced lives on in the counts, the first time and ``memory_past``.

    Raises:
        ConflictError: a task of this id is stored already.
    """
    payload, noticed = cleaned(new.payload)
    payload |= new.set_here
    flags = [flag for flag in FLAGS if flag in noticed or flag in new.flags]
    found = findable(new.kind, new.agent, payload)
    id_ = id_of(new.kind, new.agent, payload, found.near_key)
    values: dict[str, Any] = {
        "id": id_,
        "agent": new.agent,
        "kind": new.kind,
        "created_at": new.at,
        "payload": json.dumps(payload),
        "outcome": found.outcome,
        "area": found.area,
        "words": found.words,
        "near_key": found.near_key,
        "flags": json.dumps(flags) if flags else None,
        "session": new.origin.session,
        "tool": new.origin.tool,
        "source": new.origin.source,
        "is_pinned": int(new.is_pinned),
        "expires_at": new.expires_at,
        "n_merged": new.n_merged,
        "first_at": new.first_at or new.at,
        "n_helped": new.n_helped,
        "n_misled": new.n_misled,
    }
    earlier = same(connection, new.agent, new.kind, found.near_key)
    if earlier is not None and earlier.id == id_:  # said twice in one call: the later words count
        values = _merged(values, earlier)
        _ANEW.change(connection, {**{name: values[name] for name in _OWN}, "at_seq": earlier.seq})
        remove_from_search(connection, earlier.seq, earlier.words)
        add_to_search(connection, earlier.seq, found.words)
        return Added(id_, payload, True, flags)
    # An import of earlier releases may have stored a time that is still to come.
    if earlier is not None and min(earlier.created_at, now) > new.at:
        _absorb(connection, earlier, values, now=now)
        return Added(earlier.id, payload, True, flags)
    if earlier is not None:
        if earlier.id not in new.merged:  # otherwise it is counted already
            values = _merged(values, earlier)
        remove(connection, earlier, how="merged", by=new.agent, now=now, became=id_)
    seq = _ADD.scalar(connection, values)
    if seq is None:
        raise ConflictError(
            f"A task with the id {payload['task_id']!r} is stored already. "
            "Leave the id out to store a new one."
        )
    add_to_search(connection, seq, found.words)
    count(connection, new.agent, new.kind, found.outcome, values["created_at"])
    return Added(id_, payload, earlier is not None, flags)


def remove(
    connection: Connection,
    row: Row[Any],
    *,
    how: str,
    by: str,
    now: str,
    became: str | None = None,
    reason: str | None = None,
) -> None:
    """Take a record out of everything but ``memory_past``, which says what became of it.

    Where it came from, and where those that it took the place of did, is kept only if it was
    merged, for the record that goes on.
    """
    remove_from_search(connection, row.seq, row.words)
    _REMOVE.change(connection, {"seq": row.seq})
    removed = int(how in {"expired", "limit"})
    where = {"agent": row.agent, "kind": row.kind, "outcome": row.outcome, "removed": removed}
    _UNCOUNT.change(connection, where)
    if how == "merged":  # what had become the removed one became the new one
        _PASS_ON.change(connection, {"old": row.id, "new": became})
    _FORGET_PAST.change(connection, {"id": row.id})
    gone = {
        "id": row.id,
        "became": became,
        "how": how,
        "created_at": row.created_at,
        "session": row.session,
        "removed_at": now,
        "removed_by": by,
        "reason": reason,
        "tool": row.tool,
        "source": row.source,
    }
    _NOTE_PAST.change(connection, gone)
    if how != "merged":
        _FORGET_ORIGINS.change(connection, {"id": row.id})


def id_of(kind: str, agent: str, payload: Mapping[str, Any], key: str | None) -> str:
    """Return the id of a record, derived from its content: the same wherever it is stored."""
    if kind == "task":
        return record_id(kind, agent, payload["task_id"])
    said_at = payload["discovered_at" if kind == "insight" else "noted_at"]
    return record_id(kind, agent, f"{key}@{said_at}")


def find(connection: Connection, id_: str) -> Row[Any] | None:
    """Return the row of a record, if it is there."""
    found: Row[Any] | None = _BY_ID.first(connection, {"id": id_})
    return found


def survivor(connection: Connection, id_: str) -> str | None:
    """Return the id of the record itself or of the one it was merged into, if that is there."""
    if find(connection, id_) is not None:
        return id_
    became: str | None = _BECAME.scalar(connection, {"id": id_})
    return became


def has_gone(connection: Connection, id_: str) -> bool:
    """Say whether a record, or the one it was merged into, was forgotten, expired or too much."""
    row = _HOW.first(connection, {"id": id_})
    if row is not None and row.how == "merged":
        row = _HOW.first(connection, {"id": row.became})
    return row is not None and row.how in {"forgotten", "expired", "limit"}


def newest(
    connection: Connection, agent: str | None, kind: str, model: type[R], *, limit: int, now: str
) -> list[R]:
    """Return the newest records of a kind, of all agents if none is named."""
    asked: dict[str, Any] = {"kind": kind, "limit": limit, "now": now}
    if agent is None:
        rows = _NEWEST_OF_ALL.all(connection, asked)
    else:
        rows = _NEWEST.all(connection, {**asked, "agent": agent})
    return [read(row, model) for row in rows]


def read(row: Row[Any], model: type[R]) -> R:
    """Return a row as the record it stands for."""
    return model.model_validate(
        {
            **json.loads(row.payload),
            "record_id": row.id,
            "flags": json.loads(row.flags) if row.flags else [],
            "is_pinned": bool(row.is_pinned),
            "n_merged": row.n_merged,
            "first_at": row.first_at,
            "n_helped": row.n_helped,
            "n_misled": row.n_misled,
            "saved_by": SavedBy(
                agent=row.agent,
                session=row.session,
                tool=row.tool,
                source=row.source,
                at=row.created_at,
            ),
        }
    )


def same(connection: Connection, agent: str, kind: str, key: str | None) -> Row[Any] | None:
    """Return the row of what an agent said in the same words, by their ``near_key``."""
    if key is None:
        return None
    asked = {"agent": agent, "kind": kind, "near_key": key}
    found: Row[Any] | None = _SAME.first(connection, asked)
    return found


def of_area(
    connection: Connection, agent: str, kind: str, area: str, *, now: str
) -> Sequence[Row[Any]]:
    """Return the rows of an agent's records of an area or subject, newest first."""
    query = select(records).where(
        records.c.agent == agent,
        records.c.kind == kind,
        records.c.area == stored_area(area),
        records.c.expires_at.is_(None) | (records.c.expires_at > now),
    )
    newest_first = query.order_by(records.c.created_at.desc(), records.c.seq.desc())
    return connection.execute(newest_first).all()


def _absorb(
    connection: Connection, standing: Row[Any], values: Mapping[str, Any], *, now: str
) -> None:
    """Count a record that came late, by an import, into the newer one that says the same."""
    kept = _merged(dict(values), standing)
    columns = ("is_pinned", "expires_at", "n_merged", "first_at", "n_helped", "n_misled")
    changed = {name: kept[name] for name in columns}
    connection.execute(update(records).where(records.c.seq == standing.seq).values(changed))
    connection.execute(delete(past).where(past.c.id == values["id"]))  # it was forgotten once
    connection.execute(
        insert(past).values(
            id=values["id"],
            became=standing.id,
            how="merged",
            created_at=values["created_at"],
            session=values["session"],
            tool=values["tool"],
            source=values["source"],
            removed_at=now,
            removed_by=standing.agent,
        )
    )


def _merged(values: dict[str, Any], earlier: Row[Any]) -> dict[str, Any]:
    """Return the new record with what is kept of the earlier one."""
    expiries = (values["expires_at"], earlier.expires_at)
    return {
        **values,
        "is_pinned": max(values["is_pinned"], earlier.is_pinned),
        "expires_at": None if None in expiries else max(expiries),
        "n_merged": values["n_merged"] + earlier.n_merged,
        "first_at": min(values["first_at"], earlier.first_at),
        "n_helped": values["n_helped"] + earlier.n_helped,
        "n_misled": values["n_misled"] + earlier.n_misled,
    }
