"""Agent memory in the state database."""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection, Row, func, insert, select, update

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    CollaborationPatterns,
    Collaborator,
    Insight,
    SavedMemory,
    SharedContext,
    Task,
)
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.schema import shared_context as context_table

__all__ = ["SqlMemoryStore"]

R = TypeVar("R", bound=BaseModel)


class SqlMemoryStore:
    """A ``MemoryStore`` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, agent: str, *, limit: int = 50) -> AgentMemory:
        """Return one agent's memory, newest first."""
        return self._database.read(lambda connection: _load(connection, agent, limit))

    def save(
        self,
        agent: str,
        *,
        task: Task | None = None,
        insights: Sequence[Insight] = (),
        collaborations: Sequence[Collaboration] = (),
        idempotency_key: str | None = None,
    ) -> SavedMemory:
        """Store a task, insights and collaborations in one transaction."""
        if task is None and not insights and not collaborations:
            raise InvalidInputError(
                "Nothing to save. Give a task, insights or collaborations; one of them is enough."
            )
        request = {
            "agent": agent,
            "task": task and task.model_dump(),
            "insights": [i.model_dump() for i in insights],
            "collaborations": [c.model_dump() for c in collaborations],
        }

        def work(connection: Connection) -> dict[str, Any]:
            return once(
                connection,
                scope=f"memory_save/{agent}",
                key=idempotency_key,
                request=request,
                act=lambda: _save(connection, agent, task, insights, collaborations),
            )

        return SavedMemory.model_validate(self._database.write(work))

    def describe(self) -> str:
        """Return how much is remembered."""
        query = select(func.count(), func.count(records.c.agent.distinct())).select_from(records)
        n_records, n_agents = self._database.read(lambda c: c.execute(query).one())
        return f"{n_records} records of {n_agents} agents"

    def shared_context(self) -> SharedContext:
        """Return the context all agents share."""
        return self._database.read(_shared_context)

    def put_shared_context(
        self, content: dict[str, Any], *, expected_revision: int, actor: str
    ) -> SharedContext:
        """Replace the shared context by compare-and-set on its revision."""

        def work(connection: Connection) -> SharedContext:
            found = _shared_context(connection)
            if found.revision != expected_revision:
                raise ConflictError(
                    f"The shared context has revision {found.revision}, not {expected_revision}; "
                    f"{found.updated_by or 'nobody'} changed it. Load it again, then retry."
                )
            values = {
                "revision": expected_revision + 1,
                "payload": json.dumps(content),
                "updated_at": timestamp(),
                "updated_by": actor,
            }
            is_first = expected_revision == 0
            connection.execute(
                insert(context_table).values(id=1, **values)
                if is_first
                else update(context_table).where(context_table.c.id == 1).values(**values)
            )
            return _shared_context(connection)

        return self._database.write(work)


def _load(connection: Connection, agent: str, limit: int) -> AgentMemory:
    tasks = _newest(connection, agent, "task", Task, limit)
    insights = _newest(connection, agent, "insight", Insight, limit)
    totals = _totals(connection, agent)
    return AgentMemory(
        agent_name=agent,
        last_updated=max((row.latest for row in totals.values()), default=None),
        task_history=tasks,
        optimization_insights=insights,
        collaboration_patterns=CollaborationPatterns(
            frequent_collaborators=_collaborators(connection, agent)
        ),
        n_tasks=totals["task"].n if "task" in totals else 0,
        n_insights=totals["insight"].n if "insight" in totals else 0,
    )


def _newest(connection: Connection, agent: str, kind: str, model: type[R], limit: int) -> list[R]:
    rows = connection.execute(
        select(records.c.payload)
        .where(records.c.agent == agent, records.c.kind == kind)
        .order_by(records.c.seq.desc())
        .limit(limit)
    )
    return [model.model_validate_json(row.payload) for row in rows]


def _totals(connection: Connection, agent: str) -> dict[str, Row[Any]]:
    rows = connection.execute(
        select(
            records.c.kind,
            func.count().label("n"),
            func.max(records.c.created_at).label("latest"),
        )
        .where(records.c.agent == agent)
        .group_by(records.c.kind)
    )
    return {row.kind: row for row in rows}


def _collaborators(connection: Connection, agent: str) -> list[Collaborator]:
    by_name: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(select(pairs).where(pairs.c.agent == agent)):
        by_name[row.collaborator].append(row)
    people = [_collaborator(name, rows) for name, rows in by_name.items()]
    return sorted(people, key=lambda c: (-c.collaboration_frequency, c.agent_name))


def _collaborator(name: str, rows: Sequence[Row[Any]]) -> Collaborator:
    counts = {row.task_type: row.successes + row.failures for row in rows}
    total = sum(counts.values())
    return Collaborator(
        agent_name=name,
        collaboration_frequency=total,
        success_rate=sum(row.successes for row in rows) / total,
        common_tasks=sorted(counts, key=lambda task: (-counts[task], task)),
        success_rate_by_task={row.task_type: row.successes / counts[row.task_type] for row in rows},
        last_at=max(row.last_at for row in rows),
    )


def _save(
    connection: Connection,
    agent: str,
    task: Task | None,
    insights: Sequence[Insight],
    collaborations: Sequence[Collaboration],
) -> dict[str, Any]:
    now = timestamp()
    note_agent(connection, agent)
    task_id = None
    if task is not None:
        task_id = task.task_id or uuid.uuid4().hex
        stored = task.model_copy(update={"task_id": task_id, "timestamp": task.timestamp or now})
        _insert(connection, agent, "task", f"task-{agent}-{task_id}", stored, now)
    for insight in insights:
        found = insight.model_copy(update={"discovered_at": insight.discovered_at or now})
        _insert(connection, agent, "insight", f"insight-{uuid.uuid4().hex}", found, now)
    for collaboration in collaborations:
        _count(connection, agent, collaboration, now)
    return {
        "agent_name": agent,
        "task_id": task_id,
        "n_insights_added": len(insights),
        "n_collaborations_added": len(collaborations),
        "saved_at": now,
    }


def _insert(
    connection: Connection, agent: str, kind: str, key: str, record: BaseModel, now: str
) -> None:
    is_known = connection.execute(select(records.c.seq).where(records.c.id == key)).first()
    if is_known is not None:
        raise ConflictError(
            f"A {kind} with the id {key.rsplit('-', 1)[-1]!r} is stored already. "
            "Leave the id out to store a new one."
        )
    connection.execute(
        insert(records).values(
            id=key, agent=agent, kind=kind, created_at=now, payload=record.model_dump_json()
        )
    )


def _count(connection: Connection, agent: str, work: Collaboration, now: str) -> None:
    column = pairs.c.successes if work.success else pairs.c.failures
    here = (
        (pairs.c.agent == agent)
        & (pairs.c.collaborator == work.collaborator)
        & (pairs.c.task_type == work.task_type)
    )
    counted = connection.execute(
        update(pairs).where(here).values({column: column + 1, pairs.c.last_at: now})
    )
    if counted.rowcount == 0:
        connection.execute(
            insert(pairs).values(
                agent=agent,
                collaborator=work.collaborator,
                task_type=work.task_type,
                successes=int(work.success),
                failures=int(not work.success),
                last_at=now,
            )
        )


def _shared_context(connection: Connection) -> SharedContext:
    row = connection.execute(select(context_table).where(context_table.c.id == 1)).first()
    if row is None:
        return SharedContext(revision=0, content={})
    return SharedContext(
        revision=row.revision,
        content=json.loads(row.payload),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
