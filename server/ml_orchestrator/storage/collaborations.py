"""How often work with a colleague went well, counted."""

from sqlalchemy import Connection, insert, update

from ml_orchestrator.storage.schema import collaborations as pairs

__all__ = ["count_work"]


def count_work(
    connection: Connection,
    agent: str,
    collaborator: str,
    *,
    task_type: str,
    success: bool,
    now: str,
) -> None:
    """Count one piece of work that ``agent`` did with ``collaborator``."""
    column = pairs.c.successes if success else pairs.c.failures
    here = (
        (pairs.c.agent == agent)
        & (pairs.c.collaborator == collaborator)
        & (pairs.c.task_type == task_type)
    )
    counted = connection.execute(
        update(pairs).where(here).values({column: column + 1, pairs.c.last_at: now})
    )
    if counted.rowcount == 0:
        connection.execute(
            insert(pairs).values(
                agent=agent,
                collaborator=collaborator,
                task_type=task_type,
                successes=int(success),
                failures=int(not success),
                last_at=now,
            )
        )
