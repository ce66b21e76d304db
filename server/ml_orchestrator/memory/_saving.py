"""Saving: everything that one call gives, in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, text

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import each_near
from ml_orchestrator.memory._rows import Added, NewRecord, add, find, survivor
from ml_orchestrator.memory.models import Collaboration, Insight, Knowledge, Task, UsedRecord
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.retention import tidy
from ml_orchestrator.memory.times import moment
from ml_orchestrator.records import Record
from ml_orchestrator.storage.agents import known_agents, note_agent
from ml_orchestrator.storage.collaborations import count_work
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import cut

__all__ = ["Given", "save"]

_TIMES = {"timestamp", "discovered_at", "noted_at"}
_PIN = Statement(text("UPDATE memory_records SET is_pinned = :is_pinned WHERE id = :id"))
_USED = {
    helped: Statement(
        text(f"UPDATE memory_records SET {column} = {column} + 1 WHERE id = :id")  # noqa: S608
    )
    for helped, column in ((True, "n_helped"), (False, "n_misled"))
}


@dataclass(frozen=True, slots=True)
class Given:
    """What one save stores."""

    task: Task | None
    insights: Sequence[Insight]
    knowledge: Sequence[Knowledge]
    collaborations: Sequence[Collaboration]
    used_records: Sequence[UsedRecord]
    pin: Sequence[str]
    unpin: Sequence[str]
    is_pinned: bool
    expires_in_days: float | None

    def check(self) -> None:
        """Refuse nothing at all, times that are none, and what contradicts itself."""
        lists = (self.insights, self.knowledge, self.collaborations, self.used_records)
        if self.task is None and not any((*lists, self.pin, self.unpin)):
            raise InvalidInputError(
                "Nothing to save. Give a task, insights, knowledge, collaborations, used_records, "
                "pin or unpin; one of them is enough."
            )
        self._check_times()
        if both := sorted(set(self.pin) & set(self.unpin)):
            raise InvalidInputError(
                f"To be pinned and unpinned at once: {', '.join(both)}. Leave each out of pin, or "
                "out of unpin. Nothing was saved."
            )

    def _check_times(self) -> None:
        said: list[Record | None] = [self.task, *self.insights, *self.knowledge]
        for record in filter(None, said):
            for name in _TIMES & set(type(record).model_fields):
                if (at := getattr(record, name)) and moment(at) is None:
                    raise InvalidInputError(
                        f"{name} is {at!r}, which is no time. Give ISO 8601 such as "
                        "2026-01-31T12:00:00Z, or leave it out: then it is now."
                    )

    def as_request(self, agent: str) -> dict[str, Any]:
        """Return all of it as JSON content."""
        listed = ("insights", "knowledge", "collaborations", "used_records")
        return {
            "agent": agent,
            "task": self.task and self.task.model_dump(),
            **{name: [part.model_dump() for part in getattr(self, name)] for name in listed},
            "pinned": self.is_pinned,
            "expires_in_days": self.expires_in_days,
            **({"pin": list(self.pin)} if self.pin else {}),  # keys of before have none
            **({"unpin": list(self.unpin)} if self.unpin else {}),
        }


def save(
    connection: Connection,
    agent: str,
    given: Given,
    *,
    origin: Origin,
    max_records: int,
    now: str,
) -> dict[str, Any]:
    """Store what is given and return the content of a ``SavedMemory``.

    Raises:
        InvalidInputError: the agent names itself as its collaborator, or a text is blank.
    """
    _refuse_itself(agent, given.collaborations)
    _refuse_blank(given.as_request(agent))
    note_agent(connection, agent, now=now)
    new = [
        NewRecord(
            kind,
            agent,
            payload,
            now,
            origin,
            is_pinned=given.is_pinned,
            expires_at=_expiry(now, given.expires_in_days),
            set_here=set_here,
        )
        for kind, payload, set_here in _payloads(given, now)
    ]
    added: list[Added] = [add(connection, record, now=now) for record in new]
    flags = [flag for record in added for flag in record.flags]
    for work in given.collaborations:
        flags += count_work(
            connection,
            agent,
            work.collaborator,
            task_type=work.task_type,
            success=work.success,
            now=now,
        )
    unknown = [used.record_id for used in given.used_records if not _use(connection, used)]
    unknown += [id_ for id_ in given.pin if not _pin(connection, id_, is_pinned=1)]
    unknown += [id_ for id_ in given.unpin if not _pin(connection, id_, is_pinned=0)]
    tidy(connection, agent, {record.kind for record in new}, max_records=max_records, now=now)
    return {
        "agent_name": agent,
        "task_id": added[0].payload["task_id"] if given.task else None,
        "n_insights_added": len(given.insights),
        "n_knowledge_added": len(given.knowledge),
        "n_collaborations_added": len(given.collaborations),
        "record_ids": [record.id for record in added],
        "n_merged": sum(record.was_merged for record in added),
        "unknown_records": list(dict.fromkeys(unknown)),
        "flags": list(dict.fromkeys(flags)),
        "notices": [
            *_strangers(connection, given),
            *_missing(unknown),
            *_endless(connection, given, added),
        ],
        "saved_at": now,
    }


def _refuse_itself(agent: str, work: Sequence[Collaboration]) -> None:
    if any(each.collaborator == agent for each in work):
        raise InvalidInputError(
            f"{agent} cannot be its own collaborator. Name the colleague, or leave this out of "
            "collaborations: a task is where work of your own goes. Nothing was saved."
        )


def _refuse_blank(request: Mapping[str, Any]) -> None:
    """Refuse text of blanks alone; what is stored already is read and restored with it."""
    if places := list(_blank(request, "")):
        raise InvalidInputError(
            f"Blank: {', '.join(places)}. Write what is to be remembered, or leave that entry "
            "out. Nothing was saved."
        )


def _blank(part: Any, place: str) -> Iterator[str]:
    """Give the places of texts that hold blanks alone, such as ``insights[0].insight``."""
    if isinstance(part, str) and part.isspace():
        yield place
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _blank(inner, f"{place}.{name}" if place else name)
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _blank(inner, f"{place}[{number}]")


def _missing(unknown: Sequence[str]) -> list[str]:
    if not unknown:
        return []
    ids = ", ".join(repr(id_) for id_ in dict.fromkeys(unknown))
    return [f"No record is called {cut(ids, 200)}. All else was saved."]


def _endless(connection: Connection, given: Given, added: Sequence[Added]) -> list[str]:
    """Say that what was known without an end has none now, though one was given."""
    if given.expires_in_days is None:
        return []
    merged = [find(connection, record.id) for record in added if record.was_merged]
    if not any(row is not None and row.expires_at is None for row in merged):
        return []
    return ["What was stored without an end before still has none: expires_in_days adds none."]


def _strangers(connection: Connection, given: Given) -> list[str]:
    """Name colleagues that nobody here is called; they may be new, so they are stored."""
    together = [work.collaborator for work in given.collaborations]
    handed = [part.to_agent for part in given.task.delegations] if given.task else []
    if not together and not handed:
        return []
    known, said = known_agents(connection), []
    if unknown := _unknown(together, known):
        said.append(
            f"No agent named {each_near(unknown, known)} is known here. The work is counted; "
            "memory_load tells nobody to ask an agent before it has saved memory or sent a message."
        )
    if unknown := _unknown(handed, known):
        said.append(
            f"No agent named {each_near(unknown, known)} is known here. The task is saved with "
            "its delegations as they stand."
        )
    return said


def _unknown(names: Sequence[str], known: set[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in known]


def _payloads(given: Given, now: str) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Give kinds, payloads as they were given, and the times and ids that the store sets."""
    if given.task is not None:
        yield "task", *_parted(given.task, {"task_id": uuid4().hex, "timestamp": now})
    for insight in given.insights:
        yield "insight", *_parted(insight, {"discovered_at": now})
    for fact in given.knowledge:
        yield "knowledge", *_parted(fact, {"noted_at": now})


def _parted(said: Record, usual: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is said, and which of ``usual`` it leaves to the store."""
    payload = said.model_dump()
    set_here = {name: value for name, value in usual.items() if not payload[name]}
    return {name: part for name, part in payload.items() if name not in set_here}, set_here


def _expiry(now: str, days: float | None) -> str | None:
    if days is None:
        return None
    return timestamp(datetime.fromisoformat(now).astimezone(UTC) + timedelta(days=days))


def _use(connection: Connection, used: UsedRecord) -> bool:
    """Count whether a record helped, or the one it has become; say whether there is one."""
    if (id_ := survivor(connection, used.record_id)) is None:
        return False
    _USED[used.helped].change(connection, {"id": id_})
    return True


def _pin(connection: Connection, id_: str, *, is_pinned: int) -> bool:
    """Pin or unpin a record, or the one it has become; say whether there is one."""
    if (found := survivor(connection, id_)) is None:
        return False
    _PIN.change(connection, {"id": found, "is_pinned": is_pinned})
    return True
