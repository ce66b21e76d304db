"""Agent memory in the state database."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.memory._rows import MODELS, Added, NewRecord, R, add, newest, survivor
from ml_orchestrator.memory.digest import digest
from ml_orchestrator.memory.forget_models import Forgetting, Forgotten
from ml_orchestrator.memory.limits import check_context
from ml_orchestrator.memory.meaning import Meaning
from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    CollaborationPatterns,
    Collaborator,
    Insight,
    Knowledge,
    SavedMemory,
    SharedContext,
    StoredInsight,
    StoredKnowledge,
    StoredTask,
    Task,
    UsedRecord,
)
from ml_orchestrator.memory.requests import UNKNOWN, Filters, Origin, Selection
from ml_orchestrator.memory.retention import carry_out, plan, tidy
from ml_orchestrator.memory.search import search
from ml_orchestrator.memory.search_models import Digest, FoundMemories
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.collaborations import count_work
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.storage.schema import memory_counts as counts
from ml_orchestrator.storage.schema import shared_context as context_table
from ml_orchestrator.text import clean

__all__ = ["SqlMemoryStore"]

MAX_RECORDS = 100_000  # of one agent and kind
_PAIRS = select(pairs).where(pairs.c.agent == bindparam("agent"))
_CONTEXT = select(context_table).where(context_table.c.id == 1)
_TOTALS = (
    select(
        counts.c.kind, func.sum(counts.c.n).label("n"), func.max(counts.c.latest).label("latest")
    )
    .where(counts.c.agent == bindparam("agent"))
    .group_by(counts.c.kind)
)
_PIN = text("UPDATE memory_records SET is_pinned = :is_pinned WHERE id = :id")
_USED = {
    helped: text(f"UPDATE memory_records SET {column} = {column} + 1 WHERE id = :id")  # noqa: S608
    for helped, column in ((True, "n_helped"), (False, "n_misled"))
}


@dataclass(frozen=True, slots=True)
class _Given:
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
        """Refuse nothing at all, and what contradicts itself."""
        lists = (self.insights, self.knowledge, self.collaborations, self.used_records)
        if self.task is None and not any((*lists, self.pin, self.unpin)):
            raise InvalidInputError(
                "Nothing to save. Give a task, insights, knowledge, collaborations, used_records, "
                "pin or unpin; one of them is enough."
            )
        if both := sorted(set(self.pin) & set(self.unpin)):
            raise InvalidInputError(f"To be pinned and unpinned at once: {', '.join(both)}.")

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


class SqlMemoryStore:
    """A ``MemoryStore`` on SQLite or Postgres."""

    def __init__(
        self,
        database: Database,
        *,
        max_records: int = MAX_RECORDS,
        meaning: Callable[[], Meaning] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database = database
        self._max_records = max_records
        self._meaning = meaning
        self._now = now

    def load(self, agent: str, *, limit: int = 50) -> AgentMemory:
        """Return one agent's memory, newest first."""
        return self.database.read(lambda c: _load(c, agent, limit, now=self._time()))

    def digest(self, agent: str, task: str | None = None) -> Digest:
        """Return what memory says about a task, or in general."""
        return self.database.read(lambda c: digest(c, agent, task, now=self._time()))

    def brief(
        self, agent: str, task: str | None, *, limit: int
    ) -> tuple[AgentMemory, Digest, SharedContext]:
        """Return memory, digest and shared context of one moment."""

        def work(connection: Connection) -> tuple[AgentMemory, Digest, SharedContext]:
            now = self._time()
            memory = _load(connection, agent, limit, now=now)
            known = digest(connection, agent, task, now=now)
            return memory, known, _shared_context(connection)

        return self.database.read(work)

    def search(
        self,
        query: str | None,
        filters: Filters,
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> FoundMemories:
        """Return one page of what fits, best first."""
        meaning = None if self._meaning is None or query is None else self._meaning()
        if meaning is not None and cursor is None:
            meaning.prepare()
        return self.database.read(
            lambda c: search(
                c,
                query,
                filters,
                limit=limit,
                cursor=cursor,
                now=self._time(),
                meaning=meaning,
            )
        )

    def save(
        self,
        agent: str,
        *,
        task: Task | None = None,
        insights: Sequence[Insight] = (),
        knowledge: Sequence[Knowledge] = (),
        collaborations: Sequence[Collaboration] = (),
        used_records: Sequence[UsedRecord] = (),
        pin: Sequence[str] = (),
        unpin: Sequence[str] = (),
        pinned: bool = False,
        expires_in_days: float | None = None,
        idempotency_key: str | None = None,
        origin: Origin = UNKNOWN,
    ) -> SavedMemory:
        """Store everything that is given in one transaction."""
        given = _Given(
            task,
            insights,
            knowledge,
            collaborations,
            used_records,
            pin,
            unpin,
            pinned,
            expires_in_days,
        )
        given.check()

        def work(connection: Connection) -> dict[str, Any]:
            return once(
                connection,
                scope=f"memory_save/{agent}",
                key=idempotency_key,
                request=given.as_request(agent) if idempotency_key else {},
                act=lambda: _save(
                    connection, agent, given, origin, self._max_records, now=self._time()
                ),
            )

        return SavedMemory.model_validate(self.database.write(work))

    def plan_forgetting(self, selection: Selection) -> Forgetting:
        """Return what forgetting would do."""
        return self.database.read(lambda connection: plan(connection, selection))

    def forget(self, selection: Selection, *, digest: str, actor: str, reason: str) -> Forgotten:
        """Forget what was planned."""
        return self.database.write(
            lambda connection: carry_out(
                connection,
                selection,
                digest=digest,
                actor=actor,
                reason=reason,
                now=self._time(),
            )
        )

    def describe(self) -> str:
        """Return how much is remembered."""
        query = select(func.sum(counts.c.n), func.count(counts.c.agent.distinct()))
        n_records, n_agents = self.database.read(lambda c: c.execute(query).one())
        return f"{n_records or 0} records of {n_agents} agents"

    def newest_insights(self, *, limit: int) -> list[StoredInsight]:
        """Return the newest insights of all agents, newest first."""
        return self.database.read(
            lambda c: newest(c, None, "insight", StoredInsight, limit=limit, now=self._time())
        )

    def shared_context(self) -> SharedContext:
        """Return the context all agents share."""
        return self.database.read(_shared_context)

    def put_shared_context(
        self, content: dict[str, Any], *, expected_revision: int, actor: str
    ) -> SharedContext:
        """Replace the shared context by compare-and-set on its revision."""
        check_context(content)

        def work(connection: Connection) -> SharedContext:
            found = _shared_context(connection)
            if found.revision != expected_revision:
                raise ConflictError(
                    f"The shared context has revision {found.revision}, not {expected_revision}; "
                    f"{found.updated_by or 'nobody'} changed it. Load it again, then retry."
                )
            values = {
                "revision": expected_revision + 1,
                "payload": json.dumps(cleaned(content)[0]),
                "updated_at": self._time(),
                "updated_by": actor,
            }
            is_first = expected_revision == 0
            connection.execute(
                insert(context_table).values(id=1, **values)
                if is_first
                else update(context_table).where(context_table.c.id == 1).values(**values)
            )
            return _shared_context(connection)

        return self.database.write(work)

    def _time(self) -> str:
        return timestamp(self._now())


def _load(connection: Connection, agent: str, limit: int, *, now: str) -> AgentMemory:
    totals = {row.kind: row for row in connection.execute(_TOTALS, {"agent": agent})}
    n = {kind: int(totals[kind].n) if kind in totals else 0 for kind in MODELS}

    def listed(kind: str, model: type[R]) -> list[R]:
        return newest(connection, agent, kind, model, limit=limit, now=now) if n[kind] else []

    return AgentMemory(
        agent_name=agent,
        last_updated=max((row.latest for row in totals.values()), default=None),
        task_history=listed("task", StoredTask),
        optimization_insights=listed("insight", StoredInsight),
        domain_knowledge=listed("knowledge", StoredKnowledge),
        collaboration_patterns=CollaborationPatterns(
            frequent_collaborators=_collaborators(connection, agent)
        ),
        n_tasks=n["task"],
        n_insights=n["insight"],
        n_knowledge=n["knowledge"],
    )


def _collaborators(connection: Connection, agent: str) -> list[Collaborator]:
    by_name: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_PAIRS, {"agent": agent}):
        by_name[row.collaborator].append(row)
    people = [_collaborator(name, rows) for name, rows in by_name.items()]
    return sorted(people, key=lambda c: (-c.collaboration_frequency, c.agent_name))


def _collaborator(name: str, rows: Sequence[Row[Any]]) -> Collaborator:
    n_by_task = {row.task_type: row.successes + row.failures for row in rows}
    total = sum(n_by_task.values())
    return Collaborator(
        agent_name=name,
        collaboration_frequency=total,
        success_rate=sum(row.successes for row in rows) / total,
        common_tasks=sorted(n_by_task, key=lambda task: (-n_by_task[task], task)),
        success_rate_by_task={
            row.task_type: row.successes / n_by_task[row.task_type] for row in rows
        },
        last_at=max(row.last_at for row in rows),
    )


def _save(
    connection: Connection,
    agent: str,
    given: _Given,
    origin: Origin,
    max_records: int,
    *,
    now: str,
) -> dict[str, Any]:
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
        )
        for kind, payload in _payloads(given, now)
    ]
    added: list[Added] = [add(connection, record, now=now) for record in new]
    for work in given.collaborations:
        count_work(
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
        "task_id": clean(new[0].payload["task_id"]).text if given.task else None,
        "n_insights_added": len(given.insights),
        "n_knowledge_added": len(given.knowledge),
        "n_collaborations_added": len(given.collaborations),
        "record_ids": [record.id for record in added],
        "n_merged": sum(record.was_merged for record in added),
        "unknown_records": list(dict.fromkeys(unknown)),
        "flags": list(dict.fromkeys(flag for record in added for flag in record.flags)),
        "saved_at": now,
    }


def _payloads(given: _Given, now: str) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds and payloads, with the times and ids that the store sets."""
    found: list[tuple[str, dict[str, Any]]] = []
    if given.task is not None:
        task = given.task.model_dump()
        task["task_id"] = task["task_id"] or uuid4().hex
        found.append(("task", {**task, "timestamp": task["timestamp"] or now}))
    for insight in given.insights:
        at = insight.discovered_at or now
        found.append(("insight", {**insight.model_dump(), "discovered_at": at}))
    for fact in given.knowledge:
        found.append(("knowledge", {**fact.model_dump(), "noted_at": fact.noted_at or now}))
    return found


def _expiry(now: str, days: float | None) -> str | None:
    if days is None:
        return None
    return timestamp(datetime.fromisoformat(now).astimezone(UTC) + timedelta(days=days))


def _use(connection: Connection, used: UsedRecord) -> bool:
    """Count whether a record helped, or the one it has become; say whether there is one."""
    if (id_ := survivor(connection, used.record_id)) is None:
        return False
    connection.execute(_USED[used.helped], {"id": id_})
    return True


def _pin(connection: Connection, id_: str, *, is_pinned: int) -> bool:
    """Pin or unpin a record, or the one it has become; say whether there is one."""
    if (found := survivor(connection, id_)) is None:
        return False
    connection.execute(_PIN, {"id": found, "is_pinned": is_pinned})
    return True


def _shared_context(connection: Connection) -> SharedContext:
    row = connection.execute(_CONTEXT).first()
    if row is None:
        return SharedContext(revision=0, content={})
    return SharedContext(
        revision=row.revision,
        content=json.loads(row.payload),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
