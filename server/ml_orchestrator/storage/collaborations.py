"""How often work with a colleague went well, counted."""

from sqlalchemy import Connection, insert, update

from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.text import clean

__all__ = ["LONGEST_TASK_TYPE", "count_work"]

LONGEST_TASK_TYPE = 128  # characters


def count_work(
    connection: Connection,
    agent: str,
    collaborator: str,
    *,
    task_type: str,
    success: bool,
    now: str,
) -> tuple[str, ...]:
    """Count one piece of work that ``agent`` did with ``collaborator``.

    The kind of work is stored cleaned, and cut if it is longer than a name.

    Returns:
        What looks odd in the kind of work.
    """
    kind = clean(task_type)
    task_type = kind.text[:LONGEST_TASK_TYPE]
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
    return kind.flags
