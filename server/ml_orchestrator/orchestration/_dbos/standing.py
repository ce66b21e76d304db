"""What a worker asks of the database several times a second, each question one statement.

The calls of DBOS for it build whole rows in transactions of several statements, which with eight
workers on two cores left little of these for the runs.
"""

from collections.abc import Sequence

from dbos import DBOS
from sqlalchemy import Engine, Select, and_, select

from ml_orchestrator.orchestration._dbos.database import UNFINISHED, WORKFLOW
from ml_orchestrator.orchestration.versions import PLAN_VERSION

__all__ = ["Standing"]


class Standing:
    """How the runs stand that this release takes. Thread-safe.

    Args:
        engine: Whose database is asked.
        queues: Those whose runs count; none: all of the database.
    """

    def __init__(self, engine: DBOS, queues: Sequence[str]) -> None:
        runs = engine._sys_db.tables.workflow_status
        is_ours = and_(
            # In so many words, without which SQLite reads the whole history and not the index.
            engine._sys_db._in_flight_status_prover(),
            runs.c.name == WORKFLOW,
            runs.c.application_version == PLAN_VERSION,
            *([runs.c.queue_name.in_(queues)] if queues else []),
        )
        self._engine = _without_transactions(engine._sys_db.engine)
        self._waiting = select(runs.c.queue_name).where(is_ours, runs.c.status == "ENQUEUED")
        self._owners = select(runs.c.executor_id).where(is_ours, runs.c.status == "PENDING")
        self._any = select(runs.c.name).where(is_ours, runs.c.status.in_(UNFINISHED)).limit(1)

    def waiting_at(self) -> list[str]:
        """Return the queues at which runs wait."""
        return self._found(self._waiting.distinct())

    def owners(self) -> set[str]:
        """Return the executor ids of those who are at a run."""
        return {owner for owner in self._found(self._owners.distinct()) if owner}

    def has_any(self) -> bool:
        """Whether a run waits or goes on."""
        return bool(self._found(self._any))

    def _found(self, query: Select[tuple[str]]) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(query))


def _without_transactions(engine: Engine) -> Engine:
    """Return an engine whose reads begin none; in SQLite they never do."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")
