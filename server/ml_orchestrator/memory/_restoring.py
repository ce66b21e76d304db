"""One record as an export gives it: checked, and stored unless it is known."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError
from sqlalchemy import Connection, Row, insert, select

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.memory._given import number_of, origin_of, past_moment
from ml_orchestrator.memory._rows import (
    MODELS,
    NewRecord,
    Predecessor,
    add,
    find,
    has_gone,
    id_of,
    survivor,
)
from ml_orchestrator.memory.limits import refuse_beyond_limits
from ml_orchestrator.memory.models import Remembered, StoredDelegation
from ml_orchestrator.memory.requests import UNKNOWN, Origin
from ml_orchestrator.memory.times import moment
from ml_orchestrator.records import Record
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.memory_rows import cleaned, findable
from ml_orchestrator.storage.schema import memory_past as past

__all__ = ["Fate", "restore"]

Fate: TypeAlias = Literal["added", "known", "gone"]
"""What becomes of a record that is read back; ``gone`` is what does not come back."""

_ID = re.compile("[a-z]-[0-9a-f]{24}")
_SAID = ("task_description", "outcome", "key_insights")
_CALLED = {"task": "A task", "insight": "An insight", "knowledge": "A fact"}
_OWN_FIELDS = frozenset(Remembered.model_fields)


def restore(connection: Connection, item: Mapping[str, Any], origin: Origin) -> Fate:
    """Store one record as ``export_memory`` gives it, unless it is known or has gone.

    Gone is what was forgotten here, has expired or was too much. A time that is still to come
    becomes now, so that nothing said later seems older.

    Raises:
        InvalidInputError: it is not such a record.
        ConflictError: a task of its id is stored and says something else.
    """
    kind, agent, payload = _checked(item)
    payload = cleaned(payload)[0]
    refuse_beyond_limits(kind, payload)
    now = timestamp()
    at = past_moment(item.get("at"), now) or now
    near_key = findable(kind, agent, payload).near_key
    id_ = id_of(kind, agent, payload, near_key)
    if kind == "task":
        _refuse_another(find(connection, id_), payload)
    for known_as in _ids_of(item, id_):
        if (fate := _here(connection, known_as, near_key, now)) is not None:
            return fate
    new = NewRecord(
        kind,
        agent,
        payload,
        at,
        origin_of(item, origin),
        is_pinned=bool(item.get("is_pinned", False)),
        expires_at=moment(item.get("expires_at")),
        n_merged=number_of(item, "n_merged", least=1),
        first_at=past_moment(item.get("first_at"), at),
        n_helped=number_of(item, "n_helped"),
        n_misled=number_of(item, "n_misled"),
        flags=tuple(item.get("flags", ())),
        merged=_merged(item, at),
    )
    note_agent(connection, agent)
    added = add(connection, new, now=now)
    _note_merged(connection, new, added.id, now)
    return "added"


def _here(
    connection: Connection, id_: str, near_key: str | None, now: str
) -> Literal["known", "gone"] | None:
    """Return what a record is here; None if nothing is known of it.

    Earlier releases gave statements that differ by a sign one id: what stands there has to say
    the same.
    """
    standing = survivor(connection, id_)
    row = None if standing is None else find(connection, standing)
    if row is None:
        return "gone" if has_gone(connection, id_) else None
    if row.near_key != near_key:
        return None
    # One that has expired stands there, unseen, until a save removes it.
    return "gone" if row.expires_at is not None and row.expires_at <= now else "known"


def _ids_of(item: Mapping[str, Any], id_: str) -> Sequence[str]:
    """Return the id of a record, and that which its export states if it is another."""
    stated = item.get("id")
    is_another = isinstance(stated, str) and stated != id_ and _ID.fullmatch(stated) is not None
    return [id_, str(stated)] if is_another else [id_]


def _checked(item: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return kind, agent and payload of a record, the payload without anything unknown."""
    kind = str(item.get("kind"))
    if kind not in MODELS:
        raise InvalidInputError(f"A record has the kind {kind!r}; known: {', '.join(MODELS)}.")
    saved_by = {"agent": "", "session": None, "tool": None, "source": None, "at": ""}
    try:
        agent = canonical_agent(str(item.get("agent")))
        found = MODELS[kind].model_validate(
            {**_known(item["payload"], MODELS[kind]), "record_id": "", "saved_by": saved_by}
        )
    except ValidationError as error:
        faults = faults_of(error.errors())
        raise InvalidInputError(f"{_CALLED[kind]} cannot be stored: {faults}.") from error
    return kind, agent, found.model_dump(exclude=set(_OWN_FIELDS))


def _known(payload: Mapping[str, Any], model: type[Record]) -> dict[str, Any]:
    """Return the fields of a payload that its model has, those of delegations, too."""
    known = {name: part for name, part in payload.items() if name in model.model_fields}
    if isinstance(handed := known.get("delegations"), list):
        known["delegations"] = [
            _known(each, StoredDelegation) if isinstance(each, Mapping) else each for each in handed
        ]
    return known


def _refuse_another(stored: Row[Any] | None, task: Mapping[str, Any]) -> None:
    """Refuse a task whose id another has, or the same with a changed outcome or text.

    Raises:
        ConflictError: the message names what differs.
    """
    if stored is None:
        return
    here = json.loads(stored.payload)
    if differ := [name for name in _SAID if here.get(name, task[name]) != task[name]]:
        raise ConflictError(
            f"A task with the id {task['task_id']!r} is stored already with another "
            f"{' and '.join(differ)}, and stays as it is. Store a new one without an id."
        )


def _merged(item: Mapping[str, Any], at: str) -> dict[str, Predecessor]:
    """Return by their ids the records that one took the place of.

    Exports of earlier releases have ``merged_ids`` alone: then the time is not known, only that
    it is not after ``at``.
    """
    found = {}
    for entry in item.get("merged", item.get("merged_ids", ())):
        known = {"id": entry} if isinstance(entry, str) else entry
        if _ID.fullmatch(id_ := known["id"]):
            when = past_moment(known.get("at"), at) or at
            found[id_] = Predecessor(id_, when, origin_of(known, UNKNOWN))
    return found


def _note_merged(connection: Connection, new: NewRecord, became: str, now: str) -> None:
    known = set(connection.scalars(select(past.c.id).where(past.c.id.in_(new.merged))))
    for id_ in sorted(new.merged.keys() - known - {became}):
        before = new.merged[id_]
        connection.execute(
            insert(past).values(
                id=id_,
                became=became,
                how="merged",
                created_at=before.at,
                session=before.origin.session,
                tool=before.origin.tool,
                source=before.origin.source,
                removed_at=now,
                removed_by=new.agent,
            )
        )
