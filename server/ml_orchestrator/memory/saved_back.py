"""An agent's whole memory in the origin's shape, as code that loaded it saves it back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import Connection, Row

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.faults import faults_of, near
from ml_orchestrator.memory._restoring import restore
from ml_orchestrator.memory._rows import of_area, same
from ml_orchestrator.memory.models import Insight, Task
from ml_orchestrator.memory.origin_files import (
    baseline_of,
    is_baseline,
    is_pattern,
    read_knowledge,
)
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.times import moment
from ml_orchestrator.records import Record
from ml_orchestrator.storage.memory_rows import cleaned, findable
from ml_orchestrator.text import cut

__all__ = ["WholeMemory", "checked", "read_memory", "save_back"]

Item: TypeAlias = dict[str, Any]
R = TypeVar("R", bound=Record)
_PARTS: Mapping[str, type] = {
    "task_history": list,
    "optimization_insights": list,
    "domain_knowledge": dict,
    "collaboration_patterns": dict,
}
_ABOUT = ("agent_name", "last_updated")  # of the whole, and never stored


@dataclass(frozen=True, slots=True)
class WholeMemory:
    """What a memory holds, oldest first, when it was loaded and read, and what is no memory."""

    records: Sequence[Item]
    facts: Sequence[Item]
    loaded_at: str | None
    read_at: str
    notes: Sequence[str]


def read_memory(agent: str, memory: Mapping[str, Any], *, now: str) -> WholeMemory:
    """Read what ``load_agent_memory`` returned, and what was added to it since.

    What states no time is of ``now``. ``collaboration_patterns`` is not looked at.

    Raises:
        InvalidInputError: it is no memory, or something in it cannot be stored: nothing is.
    """
    _check_parts(memory)
    knowledge = read_knowledge(agent, memory, now)
    if knowledge.skipped:
        raise InvalidInputError(
            f"domain_knowledge cannot be stored: {'; '.join(knowledge.skipped)}. "
            "Nothing was stored."
        )
    records = _records(agent, memory, now)
    unknown = [name for name in map(str, memory) if name not in (*_PARTS, *_ABOUT, "flags")]
    notes = [
        f"{cut(repr(name), 60)} was left out: it is no part of a memory{near(name, _PARTS)}."
        for name in unknown
    ]
    if (owner := memory.get("agent_name")) not in (None, agent):
        notes.append(f"This was the memory of {cut(repr(owner), 60)}; it is stored as {agent}'s.")
    facts = [item for _, item in reversed(knowledge.items)]
    loaded_at = moment(memory.get("last_updated"))
    return WholeMemory(records, facts, loaded_at, now, [*notes, *knowledge.notes])


def save_back(
    connection: Connection,
    agent: str,
    whole: WholeMemory,
    *,
    origin: Origin,
    changed: Callable[[Connection, str], None],
) -> list[str]:
    """Store what is not stored yet, and return what was not stored and why.

    ``changed`` is told whose memory has changed, if it has.
    """
    is_new, said = False, list(whole.notes)
    for item in whole.records:
        try:
            is_new |= restore(connection, item, origin) == "added"
        except ConflictError as error:
            said.append(str(error))
    for item in whole.facts:
        was_added, why_not = _restore_fact(connection, item, whole, origin)
        is_new |= was_added
        said += filter(None, [why_not])
    if is_new:
        changed(connection, agent)
    return said


def checked(kind: type[R], fields: Mapping[str, Any], place: str = "") -> R:
    """Return a record of what code gives for it, at ``place`` of a memory.

    Raises:
        InvalidInputError: it is none; the message names each field.
    """
    if isinstance(fields, Mapping):  # what was loaded may have flags, which a save makes anew
        fields = {name: part for name, part in fields.items() if name != "flags"}
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        faults = faults_of(error.errors(), known=kind.model_fields)
        raise InvalidInputError(
            f"{place or kind.__name__} cannot be stored: {faults}. It has "
            f"{', '.join(kind.model_fields)}. Nothing was stored."
        ) from error


def _check_parts(memory: Mapping[str, Any]) -> None:
    """Refuse what was not loaded from here.

    Raises:
        InvalidInputError: it is no dictionary, or none of a memory, or its parts are none.
    """
    way = "Load one with load_my_memory, and add to that. Nothing was stored."
    if not isinstance(memory, Mapping):
        raise InvalidInputError(f"A memory is a dictionary, not {cut(repr(memory), 60)}. {way}")
    if memory and not any(name in memory for name in _PARTS):
        raise InvalidInputError(
            f"A memory has {', '.join(_PARTS)}; this one has "
            f"{cut(', '.join(map(str, memory)), 120)}. {way}"
        )
    for name, kind in _PARTS.items():
        if not isinstance(part := memory.get(name, kind()), kind):
            shape = "list" if kind is list else "dictionary"
            raise InvalidInputError(f"{name} is a {shape}, not {cut(repr(part), 60)}. {way}")


def _records(agent: str, memory: Mapping[str, Any], now: str) -> list[Item]:
    made = []
    for place, entry in _oldest_first(memory, "task_history"):
        task = checked(Task, entry, place).model_dump()
        known = {**task, "task_id": task["task_id"] or uuid4().hex}
        made.append(_item("task", agent, known, "timestamp", now))
    for place, entry in _oldest_first(memory, "optimization_insights"):
        insight = checked(Insight, entry, place).model_dump()
        made.append(_item("insight", agent, insight, "discovered_at", now))
    return made


def _item(kind: str, agent: str, payload: Mapping[str, Any], time_name: str, now: str) -> Item:
    at = payload[time_name] or now
    return {"kind": kind, "agent": agent, "payload": {**payload, time_name: at}, "at": at}


def _oldest_first(memory: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """Return the entries of a list with their places; the newest are the first in it."""
    return [(f"{name}[{n}]", entry) for n, entry in enumerate(memory.get(name, []))][::-1]


def _restore_fact(
    connection: Connection, fact: Item, whole: WholeMemory, origin: Origin
) -> tuple[bool, str]:
    """Store a fact that is not stored in the same words; say whether, and what was not and why."""
    subject = fact["payload"]["subject"]
    if is_baseline(subject):
        is_due, said = _baseline_due(connection, fact, whole.loaded_at, whole.read_at)
    else:
        stored = _same_words(connection, fact, whole.read_at)
        is_due, said = stored is None, "" if stored is None else _changed(fact, stored)
    try:
        return is_due and restore(connection, fact, origin) == "added", said
    except InvalidInputError as error:
        raise InvalidInputError(
            f"domain_knowledge cannot be stored: {cut(repr(subject), 60)}: {error} Nothing was "
            "stored."
        ) from error


def _baseline_due(
    connection: Connection, fact: Item, loaded_at: str | None, now: str
) -> tuple[bool, str]:
    """Say whether the number of a baseline is new.

    It is not if it was the newest when the memory was loaded: another may have been stored since.
    """
    subject, value = fact["payload"]["subject"], float(fact["payload"]["statement"])
    rows = of_area(connection, fact["agent"], "knowledge", subject, now=now)
    known = [(number, row.created_at) for row in rows if (number := _number_of(row)) is not None]
    if not known or known[0][0] == value:
        return not known, ""
    before = [number for number, at in known if loaded_at is not None and at <= loaded_at]
    if before[:1] != [value]:
        return True, ""
    return False, (
        f"{cut(subject, 60)} stays {known[0][0]!r}, which was stored after this memory was loaded. "
        "Load it again to change that."
    )


def _number_of(row: Row[Any]) -> float | None:
    return baseline_of(json.loads(row.payload)["statement"])


def _same_words(connection: Connection, fact: Item, now: str) -> Row[Any] | None:
    key = findable("knowledge", fact["agent"], cleaned(fact["payload"])[0]).near_key
    row = same(connection, fact["agent"], "knowledge", key)
    return None if row is None or (row.expires_at or now) < now else row


def _changed(fact: Item, stored: Row[Any]) -> str:
    """Say that a stored pattern was counted on, or was given another rate."""
    if not is_pattern(subject := fact["payload"]["subject"]):
        return ""
    more = fact["n_merged"] - stored.n_merged
    rate = json.loads(stored.payload)["confidence"]
    if more < 0 or (more == 0 and fact["payload"]["confidence"] == rate):
        return ""
    return (
        f"What was changed of the pattern {cut(repr(subject), 60)} was not stored. Save it anew as "
        "knowledge with memory_save, which counts it once more and takes the new confidence."
    )
