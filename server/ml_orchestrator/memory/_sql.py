"""Agent memory in the state database."""

import functools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.memory._loading import load
from ml_orchestrator.memory._rows import newest
from ml_orchestrator.memory._saving import Given, save
from ml_orchestrator.memory._tally import read_tally
from ml_orchestrator.memory.context_origin import origin_of_context, read_origin
from ml_orchestrator.memory.digest import digest
from ml_orchestrator.memory.forget_models import Forgetting, Forgotten
from ml_orchestrator.memory.limits import check_context
from ml_orchestrator.memory.meaning import Meaning
from ml_orchestrator.memory.models import (
    AgentMemory,
    Collaboration,
    Insight,
    Knowledge,
    SavedMemory,
    SharedContext,
    StoredInsight,
    Task,
    UsedRecord,
)
from ml_orchestrator.memory.requests import UNKNOWN, Filters, Origin, Selection
from ml_orchestrator.memory.retention import carry_out, plan
from ml_orchestrator.memory.search import search, wanted_query
from ml_orchestrator.memory.search_models import Digest, FoundMemories
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import once
from ml_orchestrator.storage.memory_rows import cleaned, flags_within
from ml_orchestrator.storage.schema import memory_counts as counts
from ml_orchestrator.storage.schema import shared_context as context_table
from ml_orchestrator.storage.statements import Statement

__all__ = ["SqlMemoryStore"]

MAX_RECORDS = 100_000  # of one agent and kind
_CONTEXT = Statement(select(context_table).where(context_table.c.id == 1))


class SqlMemoryStore:
    """A ``MemoryStore`` on SQLite or Postgres.

    ``changed`` is told, in the transaction that did it, whose memory has changed.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_records: int = MAX_RECORDS,
        meaning: Callable[[], Meaning] | None = None,
        changed: Callable[[Connection, str], None] = lambda *_: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database = database
        self._max_records = max_records
        self._meaning = meaning
        self._changed = changed
        self._now = now

    def load(self, agent: str, *, limit: int = 50) -> AgentMemory:
        """Return one agent's memory, newest first."""
        return self.database.read(
            lambda c: load(c, agent, read_tally(c, agent), limit=limit, now=self._time())
        )

    def digest(self, agent: str, task: str | None = None) -> Digest:
        """Return what memory says about a task, or in general."""
        return self.database.read(
            lambda c: digest(c, agent, read_tally(c, agent), task, now=self._time())
        )

    def brief(
        self, agent: str, task: str | None, *, limit: int
    ) -> tuple[AgentMemory, Digest, SharedContext]:
        """Return memory, digest and shared context of one moment."""

        def work(connection: Connection) -> tuple[AgentMemory, Digest, SharedContext]:
            now, tally = self._time(), read_tally(connection, agent)
            memory = load(connection, agent, tally, limit=limit, now=now)
            known = digest(connection, agent, tally, task, now=now)
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
        filters.check()
        query = wanted_query(query)
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
        given = Given(
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

        def act(connection: Connection) -> dict[str, Any]:
            saved = save(
                connection,
                agent,
                given,
                origin=origin,
                max_records=self._max_records,
                now=self._time(),
            )
            self._changed(connection, agent)
            return saved

        def work(connection: Connection) -> SavedMemory:
            saved = once(
                connection,
                scope=f"memory_save/{agent}",
                key=idempotency_key,
                request=given.as_request(agent) if idempotency_key else {},
                act=lambda: act(connection),
            )
            return SavedMemory.model_validate(saved)

        return self.database.write(work)

    def plan_forgetting(self, selection: Selection) -> Forgetting:
        """Return what forgetting would do."""
        return self.database.read(lambda connection: plan(connection, selection))

    def forget(self, selection: Selection, *, digest: str, actor: str, reason: str) -> Forgotten:
        """Forget what was planned."""

        def work(connection: Connection) -> Forgotten:
            forgotten = carry_out(
                connection,
                selection,
                digest=digest,
                actor=actor,
                reason=reason,
                now=self._time(),
            )
            if not forgotten.is_done:
                return forgotten
            audit(
                connection,
                "memory.forgotten",
                actor=actor,
                subject=f"memory:{selection.of_agent or 'any agent'}",
                n_records=len(forgotten.plan.records),
                plan=digest,
                reason=reason,
            )
            self._changed(connection, selection.of_agent or actor)
            return forgotten

        return self.database.write(work)

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
        self,
        content: dict[str, Any],
        *,
        expected_revision: int,
        actor: str,
        origin: Origin = UNKNOWN,
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
                "origin": origin_of_context(expected_revision + 1, origin),
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


def _shared_context(connection: Connection) -> SharedContext:
    row = _CONTEXT.first(connection)
    if row is None:
        return SharedContext(revision=0, content={})
    return SharedContext(
        revision=row.revision,
        content=json.loads(row.payload),
        flags=list(_flags_of(row.payload)),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        **read_origin(row.origin, row.revision),
    )


@functools.lru_cache(maxsize=4)  # every load brings the same one
def _flags_of(payload: str) -> tuple[str, ...]:
    return tuple(flags_within(json.loads(payload)))
