"""Counts of an export: how work together went, and how many records of each outcome are gone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import Connection, insert, select, update

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.memory._given import (
    MALFORMED,
    Placed,
    check_object,
    number_of,
    past_moment,
    said_of,
)
from ml_orchestrator.memory.models import Kind, Outcome
from ml_orchestrator.storage.collaborations import LONGEST_TASK_TYPE
from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.storage.schema import memory_counts as counts

__all__ = ["count_removed", "count_work_done"]


def count_work_done(
    connection: Connection, cells: Sequence[Placed], changed: Callable[[Connection, str], None]
) -> list[str]:
    """Count what agents did together; return what was skipped, each with its place."""
    return _count_each(connection, cells, changed, read=_cell, count=_count)


def count_removed(
    connection: Connection, cells: Sequence[Placed], changed: Callable[[Connection, str], None]
) -> list[str]:
    """Count records that expired or were too much where they come from; as above."""
    return _count_each(connection, cells, changed, read=_gone, count=_count_gone)


def _count_each(
    connection: Connection,
    cells: Sequence[Placed],
    changed: Callable[[Connection, str], None],
    *,
    read: Callable[[Mapping[str, Any]], dict[str, Any]],
    count: Callable[[Connection, Mapping[str, Any]], bool],
) -> list[str]:
    skipped, agents = [], set()
    for place, cell in cells:
        try:
            check_object(cell)
            counted = read(cell)
        except (InvalidInputError, *MALFORMED) as error:
            skipped.append(f"{place}: {said_of(error)}")
            continue
        if count(connection, counted):
            agents.add(counted["agent"])
    for agent in sorted(agents):
        changed(connection, agent)
    return skipped


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "agent": canonical_agent(cell["agent"]),
        "collaborator": canonical_agent(cell["collaborator"]),
        "task_type": cleaned(str(cell["task_type"]))[0][:LONGEST_TASK_TYPE],
        "successes": number_of(cell, "successes"),
        "failures": number_of(cell, "failures"),
        "last_at": past_moment(cell.get("last_at"), timestamp()) or timestamp(),
    }


def _count(connection: Connection, cell: Mapping[str, Any]) -> bool:
    """Make the counts of a pair the larger of both; False if they were."""
    if not cell["successes"] + cell["failures"]:
        return False
    here = [pairs.c[name] == cell[name] for name in ("agent", "collaborator", "task_type")]
    known = connection.execute(select(pairs).where(*here)).first()
    if known is None:
        connection.execute(insert(pairs).values(cell))
        return True
    larger = {
        "successes": max(cell["successes"], known.successes),
        "failures": max(cell["failures"], known.failures),
        "last_at": max(cell["last_at"], known.last_at),
    }
    if all(getattr(known, name) == value for name, value in larger.items()):
        return False
    connection.execute(update(pairs).where(*here).values(larger))
    return True


def _gone(cell: Mapping[str, Any]) -> dict[str, Any]:
    kind, outcome = cell["kind"], cell["outcome"]
    known = get_args(Outcome) if kind == "task" else ("",)
    if kind not in get_args(Kind) or outcome not in known:
        raise InvalidInputError(f"There are no {str(kind)[:40]!r} of {str(outcome)[:40]!r}.")
    now = timestamp()
    return {
        "agent": canonical_agent(cell["agent"]),
        "kind": kind,
        "outcome": outcome,
        "n_removed": number_of(cell, "n_removed"),
        "latest": past_moment(cell.get("latest"), now) or now,
    }


def _count_gone(connection: Connection, cell: Mapping[str, Any]) -> bool:
    """Make the count of records that are gone the larger of both; False if it was."""
    here = [counts.c[name] == cell[name] for name in ("agent", "kind", "outcome")]
    known = connection.execute(select(counts).where(*here)).first()
    if cell["n_removed"] <= (0 if known is None else known.n_removed):
        return False
    if known is None:
        connection.execute(insert(counts).values(**cell, n=0))
        return True
    latest = max(cell["latest"], known.latest)
    larger = {"n_removed": cell["n_removed"], "latest": latest}
    connection.execute(update(counts).where(*here).values(larger))
    return True
