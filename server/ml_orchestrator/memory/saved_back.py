"""An agent's whole memory in the origin's shape, as code that loaded it saves it back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import Connection, Row

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.memory._restoring import restore
from ml_orchestrator.memory._rows import newest_of, same
from ml_orchestrator.memory.models import Insight, Task
from ml_orchestrator.memory.origin_files import is_baseline, is_pattern, read_knowledge
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
    """What a memory holds, oldest first, when it was loaded, and what of it is no memory."""

    records: Sequence[Item]
    facts: Sequence[Item]
    loaded_at: str | None
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
    records = [*_tasks(agent, memory, now), *_insights(agent, memory, now)]
    unknown = [name for name in memory if name not in (*_PARTS, *_ABOUT, "flags")]
    notes = [f"{cut(repr(name), 60)} was left out: it is no part of a memory." for name in unknown]
    facts = [item for _, item in reversed(knowledge.items)]
    return WholeMemory(
        records, facts, moment(memory.get("last_updated")), [*notes, *knowledge.notes]
    )


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
        if _is_stored(connection, item, whole.loaded_at):
            said += _changes(connection, item)
        else:
            is_new |= restore(connection, item, origin) == "added"
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


def _tasks(agent: str, memory: Mapping[str, Any], now: str) -> list[Item]:
    made = []
    for place, entry in _oldest_first(memory, "task_history"):
        task = checked(Task, entry, place).model_dump()
        said_at = task["timestamp"] or now
        known = {**task, "task_id": task["task_id"] or uuid4().hex, "timestamp": said_at}
        made.append({"kind": "task", "agent": agent, "payload": known, "at": said_at})
    return made


def _insights(agent: str, memory: Mapping[str, Any], now: str) -> list[Item]:
    made = []
    for place, entry in _oldest_first(memory, "optimization_insights"):
        insight = checked(Insight, entry, place).model_dump()
        said_at = insight["discovered_at"] or now
        known = {**insight, "discovered_at": said_at}
        made.append({"kind": "insight", "agent": agent, "payload": known, "at": said_at})
    return made


def _oldest_first(memory: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """Return the entries of a list with their places; the newest are the first in it."""
    return [(f"{name}[{n}]", entry) for n, entry in enumerate(memory.get(name, []))][::-1]


def _is_stored(connection: Connection, fact: Item, loaded_at: str | None) -> bool:
    """Say whether a fact is stored, in the same words.

    A baseline is one number: to set an earlier one again is new, unless another was stored since
    the memory was loaded.
    """
    if not is_baseline(subject := fact["payload"]["subject"]):
        return _stored(connection, fact) is not None
    last = newest_of(connection, fact["agent"], "knowledge", subject)
    if last is None:
        return False
    return last.near_key == _key(fact) or (loaded_at is not None and last.created_at > loaded_at)


def _changes(connection: Connection, fact: Item) -> list[str]:
    """Say that a stored pattern was counted on, or was given another rate."""
    stored = _stored(connection, fact)
    if stored is None or not is_pattern(subject := fact["payload"]["subject"]):
        return []
    more = fact["n_merged"] - stored.n_merged
    rate = json.loads(stored.payload)["confidence"]
    if more < 0 or (more == 0 and fact["payload"]["confidence"] == rate):
        return []
    return [
        f"What was changed of the pattern {cut(repr(subject), 60)} was not stored. Save it anew as "
        "knowledge with memory_save, which counts it once more and takes the new confidence."
    ]


def _stored(connection: Connection, fact: Item) -> Row[Any] | None:
    return same(connection, fact["agent"], "knowledge", _key(fact))


def _key(fact: Item) -> str | None:
    return findable("knowledge", fact["agent"], cleaned(fact["payload"])[0]).near_key
